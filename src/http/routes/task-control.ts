import Type from 'typebox'
import { CancelTaskBody, RedriveTaskBody } from '../../core/messages.ts'
import { toWireTask, WireTask } from '../../core/wire.ts'
import type { ControlResult } from '../../engine/control.ts'
import type { HttpDeps } from '../deps.ts'
import { problem } from '../problem.ts'
import { type Answer, json, refused, type Route, route } from '../route.ts'
import { TaskParams, taskIdOf, unknownTask } from './task-address.ts'

const { reason, by } = CancelTaskBody.properties

export function taskControlRoutes({ control }: Pick<HttpDeps, 'control'>): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/tasks/{type}/{id}/cancel',
      operation: 'cancelTask',
      tag: 'tasks',
      summary: 'Cancel a task',
      description:
        'Recorded first, carried out then: a task of which nothing runs yet is cancelled at once.',
      params: TaskParams,
      body: Type.Object({ reason, by }, { additionalProperties: false }),
      bodyOptional: true,
      responses: {
        202: { description: 'It is being cancelled, or was just now.', schema: WireTask },
        200: { description: 'It was cancelled already.', schema: WireTask },
        404: { description: 'There is no such task.' },
        409: { description: 'It has ended otherwise.' },
      },
      handle: async ({ params, body }) => {
        const result = await control.cancel({ ...body, taskId: taskIdOf(params) })
        return answer(result, params, (state) => (state === 'cancelled' ? 200 : 202))
      },
    }),

    route({
      method: 'POST',
      path: '/v1/tasks/{type}/{id}/redrive',
      operation: 'redriveTask',
      tag: 'tasks',
      summary: 'Run a failed or cancelled task again, or take up a stuck one',
      description:
        'A failed or cancelled task goes into its next run, with the present definition of its type. A stuck one goes on in the same run.',
      params: TaskParams,
      body: Type.Object({ by: RedriveTaskBody.properties.by }, { additionalProperties: false }),
      bodyOptional: true,
      responses: {
        202: { description: 'The task in its next run.', schema: WireTask },
        404: { description: 'There is no such task.' },
        409: {
          description: 'It is live or has succeeded, its type is gone or its input no longer fits.',
        },
      },
      handle: async ({ params, body }) => {
        const result = await control.redrive({ ...body, taskId: taskIdOf(params) })
        return answer(result, params, () => 202)
      },
    }),
  ]
}

/** `already`: the status where the wish found what it wanted. */
function answer(
  result: ControlResult,
  params: TaskParams,
  already: (state: WireTask['state']) => number,
): Answer {
  switch (result.kind) {
    case 'done':
      return json(202, toWireTask(result.record))
    case 'already':
      return json(already(result.record.task.state), toWireTask(result.record))
    case 'refused':
      return refused(problem(409, result.code, result.message))
    case 'unknown':
      return unknownTask(params)
  }
}
