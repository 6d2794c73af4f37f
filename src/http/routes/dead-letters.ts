import Type, { type Static } from 'typebox'
import type { DeadLetter } from '../../ports/transport.ts'
import type { HttpDeps } from '../deps.ts'
import { problem } from '../problem.ts'
import { type Answer, json, refused, type Route, route } from '../route.ts'
import { PAGE, PAGE_LIMIT } from './task-address.ts'

const Params = Type.Object({ id: Type.String() })

const DeadLetterSummary = Type.Object({
  id: Type.String(),
  messageId: Type.String(),
  name: Type.Optional(
    Type.String({ description: "The message's `$name`, where it could be read." }),
  ),
  at: Type.String({ format: 'date-time' }),
  tries: Type.Integer(),
  error: Type.Object({
    name: Type.String(),
    message: Type.String(),
    stack: Type.Optional(Type.String()),
  }),
})
type DeadLetterSummary = Static<typeof DeadLetterSummary>

const Headers = 'JSON text, as the message bore it.'
const DeadLetterView = Type.Object({
  ...DeadLetterSummary.properties,
  correlationId: Type.Optional(Type.String()),
  attributes: Type.Optional(Type.String({ description: Headers })),
  stickyAttributes: Type.Optional(Type.String({ description: Headers })),
  body: Type.Object({
    encoding: Type.Union([Type.Literal('utf8'), Type.Literal('base64')]),
    data: Type.String(),
  }),
})

const tag = 'dead letters'
const path = '/v1/dead-letters/{id}'
const gone = { description: 'There is no such dead letter.' }

export function deadLetterRoutes({
  transport: { deadLetters },
}: Pick<HttpDeps, 'transport'>): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/dead-letters',
      operation: 'listDeadLetters',
      tag,
      summary: 'List messages that could not be handled, newest first',
      query: Type.Object(PAGE, { additionalProperties: false }),
      responses: {
        200: {
          description: 'A page, without the bodies.',
          schema: Type.Object({
            deadLetters: Type.Array(DeadLetterSummary),
            next: Type.Optional(Type.String({ description: 'The cursor of the next page.' })),
          }),
        },
      },
      handle: async ({ query: { limit = PAGE_LIMIT, ...query } }) => {
        const { letters, next } = await deadLetters.list({ ...query, limit })
        const page = { deadLetters: letters.map(summaryOf), ...(next !== undefined && { next }) }
        return json(200, page)
      },
    }),

    route({
      method: 'GET',
      path,
      operation: 'showDeadLetter',
      tag,
      summary: 'Show a dead letter with its body',
      params: Params,
      responses: { 200: { description: 'All of it.', schema: DeadLetterView }, 404: gone },
      handle: async ({ params: { id } }) => {
        const letter = await deadLetters.show(id)
        if (letter === undefined) return unknownLetter(id)
        const { at, ...rest } = letter
        return json(200, { ...rest, at: at.toISOString() })
      },
    }),

    route({
      method: 'POST',
      path: `${path}/replay`,
      operation: 'replayDeadLetter',
      tag,
      summary: 'Put a dead letter back on the queue, with no tries',
      params: Params,
      responses: {
        202: { description: 'It is back.', schema: Type.Object({ id: Type.String() }) },
        404: gone,
      },
      handle: async ({ params: { id } }) =>
        (await deadLetters.replay(id)) ? json(202, { id }) : unknownLetter(id),
    }),

    route({
      method: 'DELETE',
      path,
      operation: 'dropDeadLetter',
      tag,
      summary: 'Drop a dead letter',
      params: Params,
      responses: { 204: { description: 'It is gone.' }, 404: gone },
      handle: async ({ params: { id } }) =>
        (await deadLetters.drop(id)) ? { kind: 'empty', status: 204 } : unknownLetter(id),
    }),
  ]
}

function summaryOf({ id, messageId, name, at, tries, error }: DeadLetter): DeadLetterSummary {
  return {
    id,
    messageId,
    ...(name !== undefined && { name }),
    at: at.toISOString(),
    tries,
    error: { name: error.name, message: error.message },
  }
}

function unknownLetter(id: string): Answer {
  return refused(problem(404, 'unknown-dead-letter', `there is no dead letter ${id}`))
}
