import Type from 'typebox'
import { attemptLogs } from '../../engine/logs.ts'
import type { HttpDeps } from '../deps.ts'
import { problem } from '../problem.ts'
import { refused, type Route, route } from '../route.ts'
import { startOf } from '../started-stream.ts'
import { TaskParams, taskIdOf, unknownTask } from './task-address.ts'

const CONTENT_TYPE = 'text/plain; charset=utf-8'
/** A scheduler that refuses does so at once; a follower of a silent task gets its headers after this. */
const FIRST_WORD_MS = 250

export function taskLogsRoute(deps: Pick<HttpDeps, 'tasks' | 'scheduler' | 'clock'>): Route {
  return route({
    method: 'GET',
    path: '/v1/tasks/{type}/{id}/attempts/{n}/logs',
    operation: 'attemptLogs',
    tag: 'tasks',
    summary: "Read an attempt's output",
    description:
      "Both streams as one, from the scheduler; once the unit has been removed, the end of it that was kept with the attempt's exit.",
    params: Type.Object({ ...TaskParams.properties, n: Type.Integer({ minimum: 1 }) }),
    query: Type.Object(
      {
        tail: Type.Optional(
          Type.String({
            pattern: '^[0-9]{1,9}[kKmM]?$',
            description: 'Only so many bytes of the end: `4096`, `16k`, `1m`.',
          }),
        ),
        follow: Type.Optional(
          Type.Boolean({ description: 'Goes on until the attempt is over.', default: false }),
        ),
      },
      { additionalProperties: false },
    ),
    responses: {
      200: {
        description: 'The output, as it comes.',
        schema: Type.String(),
        contentType: 'text/plain',
      },
      404: { description: 'There is no such task or attempt.' },
      503: {
        description:
          'The scheduler does not answer, or no more of its logs can be followed at a time.',
      },
    },
    handle: async ({ params, query: { tail, follow = false }, leaving }) => {
      const answer = await attemptLogs(deps, {
        taskId: taskIdOf(params),
        attempt: params.n,
        ...(tail !== undefined && { tailBytes: bytesOf(tail) }),
        follow,
        signal: leaving,
      })
      switch (answer.kind) {
        case 'unknown-task':
          return unknownTask(params)
        case 'unknown-attempt': {
          const message = `${taskIdOf(params)} has no attempt ${params.n}`
          return refused(problem(404, 'unknown-attempt', message))
        }
        case 'output': {
          const chunks = await startOf(answer.chunks, follow ? FIRST_WORD_MS : undefined)
          return { kind: 'stream', contentType: CONTENT_TYPE, chunks }
        }
      }
    },
  })
}

function bytesOf(tail: string): number {
  const factor = { k: 1024, m: 1024 * 1024 }[tail.slice(-1).toLowerCase()] ?? 1
  return Number.parseInt(tail, 10) * factor
}
