import { randomUUID } from 'node:crypto'
import type { MessageAttributes } from '@node-ts/bus-messages'
import Type from 'typebox'
import type { JsonObject } from '../../core/json.ts'
import type { StickyAttributes } from '../../core/task.ts'
import type { HttpDeps } from '../deps.ts'
import { problem } from '../problem.ts'
import { json, refused, type Route, route } from '../route.ts'

/** Brokers carry ids as short strings. */
const Id = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' })

const Attributes = Type.Unsafe<StickyAttributes>({
  type: 'object',
  additionalProperties: { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
})

const NewMessage = Type.Object(
  {
    message: Type.Unsafe<JsonObject & { readonly $name: string }>({
      type: 'object',
      required: ['$name'],
      properties: { $name: { type: 'string', minLength: 1 }, $version: { type: 'number' } },
    }),
    id: Type.Optional(Id),
    correlationId: Type.Optional(Id),
    attributes: Type.Optional(Attributes),
    stickyAttributes: Type.Optional(Attributes),
  },
  { additionalProperties: false },
)

export function messagesRoute({
  transport,
  handles,
}: Pick<HttpDeps, 'transport' | 'handles'>): Route {
  return route({
    method: 'POST',
    path: '/v1/messages',
    operation: 'postMessage',
    tag: 'messages',
    summary: 'Put a message on the bus',
    description:
      'Answered once the message is stored, or confirmed by the broker. That is not yet acceptance of what it asks for: the events tell.',
    body: NewMessage,
    responses: {
      202: {
        description: "Taken. `id` is the message's own.",
        schema: Type.Object({ id: Type.String() }),
      },
      422: { description: 'It is no message, or nothing here handles messages of this name.' },
    },
    handle: async ({ body }) => {
      const { message, id = randomUUID(), correlationId } = body
      const name = message.$name
      if (!handles(name)) {
        const words = `nothing here handles messages called ${name}`
        const pointer = '/message/$name'
        const error = { code: 'unknown-message', pointer, message: words }
        return refused(problem(422, 'unknown-message', words, [error]))
      }
      const attributes: MessageAttributes = {
        attributes: { ...body.attributes },
        stickyAttributes: { ...body.stickyAttributes },
        ...(correlationId !== undefined && { correlationId }),
      }
      await transport.post(id, message, attributes)
      return json(202, { id })
    },
  })
}
