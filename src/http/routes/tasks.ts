import { randomUUID } from 'node:crypto'
import Type from 'typebox'
import type { JsonObject } from '../../core/json.ts'
import { RunTaskBody } from '../../core/messages.ts'
import { TASK_STATES, type TaskRecord, type TaskState } from '../../core/task.ts'
import { toWireTask, WireTask } from '../../core/wire.ts'
import type { RunResult } from '../../engine/intake.ts'
import type { HttpDeps } from '../deps.ts'
import { MISTAKES, problem } from '../problem.ts'
import { type Answer, json, refused, type Route, route } from '../route.ts'
import { PAGE, PAGE_LIMIT, TaskParams, taskIdOf, taskPath, unknownTask } from './task-address.ts'

const { id, input, priority, notBefore } = RunTaskBody.properties
const NewTask = Type.Object(
  { type: Type.String(), input, id, priority, notBefore },
  { additionalProperties: false },
)

const TaskList = Type.Object({
  tasks: Type.Array(WireTask),
  next: Type.Optional(Type.String({ description: 'The cursor of the next page.' })),
})

const LOCATION = { Location: 'Where the task is.' }

export function taskRoutes(
  deps: Pick<HttpDeps, 'intake' | 'tasks' | 'taskTypes'>,
): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/tasks',
      operation: 'runTask',
      tag: 'tasks',
      summary: 'Ask for a task',
      description:
        'Once answered 201 or 200 the task is never lost. Where the type takes its id from the input, that id decides and a different `id` is refused. Otherwise the id is `id`, else the header `Idempotency-Key`, else a UUID of the daemon. The same id with the same input is the same task.',
      headers: {
        'Idempotency-Key': 'The id of the task, where neither the type nor the body gives one.',
      },
      body: NewTask,
      responses: {
        201: { description: 'Accepted.', schema: WireTask, headers: LOCATION },
        200: {
          description: 'The id is known with this input: nothing new starts.',
          schema: WireTask,
          headers: LOCATION,
        },
        404: { description: 'There is no such task type.' },
        409: { description: 'The id is known with another input.' },
        413: { description: 'The input is too large.' },
        422: { description: 'The request or the input is wrong: every mistake is named.' },
      },
      handle: async ({ body, headers }) => {
        const loaded = deps.taskTypes.byName(body.type)
        if (loaded === undefined) {
          return refused(problem(404, 'unknown-type', `there is no task type ${body.type}`))
        }
        const key = headers['idempotency-key']
        const idFromHeader = typeof key === 'string' && key !== '' ? key : randomUUID()
        const wanted = body.id ?? (loaded.type.idPointer === undefined ? idFromHeader : undefined)
        const result = await deps.intake.runTask({
          loaded,
          input: body.input as JsonObject,
          ...(wanted !== undefined && { id: wanted }),
          ...(body.priority !== undefined && { priority: body.priority }),
          ...(body.notBefore !== undefined && { notBefore: new Date(body.notBefore) }),
          command: { messageId: `http:${randomUUID()}`, attributes: {}, stickyAttributes: {} },
        })
        return answerToRun(result)
      },
    }),

    route({
      method: 'GET',
      path: '/v1/tasks',
      operation: 'listTasks',
      tag: 'tasks',
      summary: 'List tasks, newest first',
      query: Type.Object(
        {
          type: Type.Optional(Type.String()),
          state: Type.Optional(Type.Unsafe<TaskState>({ type: 'string', enum: [...TASK_STATES] })),
          ...PAGE,
        },
        { additionalProperties: false },
      ),
      responses: { 200: { description: 'A page.', schema: TaskList } },
      handle: async ({ query: { limit = PAGE_LIMIT, ...query } }) => {
        const { tasks, next } = await deps.tasks.list({ ...query, limit })
        return json(200, { tasks: tasks.map(toWireTask), ...(next !== undefined && { next }) })
      },
    }),

    route({
      method: 'GET',
      path: '/v1/tasks/{type}/{id}',
      operation: 'showTask',
      tag: 'tasks',
      summary: 'Show a task with all its attempts',
      params: TaskParams,
      responses: {
        200: { description: 'The task.', schema: WireTask },
        404: { description: 'There is no such task.' },
      },
      handle: async ({ params }) => {
        const record = await deps.tasks.find(taskIdOf(params))
        return record === undefined ? unknownTask(params) : json(200, toWireTask(record))
      },
    }),
  ]
}

function answerToRun(result: RunResult): Answer {
  switch (result.kind) {
    case 'accepted':
      return taskAnswer(201, result.record)
    case 'known':
      return taskAnswer(200, result.record)
    case 'conflict': {
      const message = `the id ${result.record.task.id} is known with another input`
      return refused(problem(409, 'id-conflict', message, result.errors))
    }
    case 'rejected': {
      const [first] = result.errors
      return result.code === 'too-large'
        ? refused(problem(413, 'input-too-large', first?.message ?? 'too large', result.errors))
        : refused(problem(422, 'invalid', MISTAKES, result.errors))
    }
  }
}

function taskAnswer(status: number, record: TaskRecord): Answer {
  return json(status, toWireTask(record), { location: taskPath(record.task.id) })
}
