import Type, { type Static } from 'typebox'
import { problem } from '../problem.ts'
import { type Answer, refused } from '../route.ts'

/** How tasks are named in paths, and what every page of a list takes. */

export const TaskParams = Type.Object({
  type: Type.String(),
  id: Type.String({ description: 'Percent-encoded, slashes too.' }),
})
export type TaskParams = Static<typeof TaskParams>

export const PAGE_LIMIT = 50

export const PAGE = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: PAGE_LIMIT })),
  cursor: Type.Optional(Type.String({ minLength: 1, description: "A page's `next`." })),
}

export function taskIdOf({ type, id }: TaskParams): string {
  return `${type}/${id}`
}

/** Where a task is, by its whole id. */
export function taskPath(taskId: string): string {
  const slash = taskId.indexOf('/')
  const [type, id] = [taskId.slice(0, slash), taskId.slice(slash + 1)]
  return `/v1/tasks/${encodeURIComponent(type)}/${encodeURIComponent(id)}`
}

export function unknownTask(params: TaskParams): Answer {
  return refused(problem(404, 'unknown-task', `there is no task ${taskIdOf(params)}`))
}
