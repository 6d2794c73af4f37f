import type { Json, JsonObject } from './json.ts'
import { COMMAND_BODIES, EVENT_BODIES, type EventName } from './messages.ts'
import type { TaskType } from './task-type.ts'

/**
 * The messages that a daemon with these task types takes and sends, as an AsyncAPI 3.0 document: a
 * channel for each message name, which on RabbitMQ is a fanout exchange of that name.
 */
export function asyncApi(
  types: readonly Pick<TaskType, 'name' | 'command' | 'input' | 'eventNames'>[],
  version: string,
): JsonObject {
  const messages = [...ownMessages(), ...types.flatMap(messagesOf)]
  const byName = new Map(messages.map((message) => [message.name, message]))
  const entries = [...byName.values()].map((message) => [keyOf(message.name), message] as const)
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Longhaul',
      version,
      description:
        'Commands that ask for long-running work, and the events that tell what became of it. ' +
        'Every event comes at least once, in order for each task, with a stable `eventId`.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      entries.map(([key, { name }]) => [
        key,
        {
          address: name,
          messages: { [key]: { $ref: `#/components/messages/${key}` } },
        },
      ]),
    ),
    operations: Object.fromEntries(
      entries.map(([key, { action, summary }]) => [
        `${action}-${key}`,
        {
          action,
          summary,
          channel: { $ref: `#/channels/${key}` },
          messages: [{ $ref: `#/channels/${key}/messages/${key}` }],
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(
        entries.map(([key, { name, summary, payload }]) => [
          key,
          {
            name,
            title: name,
            summary,
            headers: { $ref: '#/components/schemas/headers' },
            payload,
          },
        ]),
      ),
      schemas: { headers: HEADERS },
    },
  }
}

interface DescribedMessage {
  readonly name: string
  /** Seen from the daemon: it receives commands and sends events. */
  readonly action: 'receive' | 'send'
  readonly summary: string
  readonly payload: JsonObject
}

const HEADERS: JsonObject = {
  type: 'object',
  properties: {
    attributes: {
      type: 'string',
      contentMediaType: 'application/json',
      description:
        'JSON of an object. A type’s own command may carry `longhaul-priority` (an integer) and ' +
        '`longhaul-not-before` (an ISO 8601 time).',
    },
    stickyAttributes: {
      type: 'string',
      contentMediaType: 'application/json',
      description: 'JSON of an object that comes back, as it was, on every event of the task.',
    },
  },
}

function ownMessages(): DescribedMessage[] {
  const commands = Object.entries(COMMAND_BODIES).map(([name, schema]): DescribedMessage => ({
    name,
    action: 'receive',
    summary: `Asks the daemon: ${name.slice('longhaul/'.length)}`,
    payload: named(name, asJson(schema)),
  }))
  const events = Object.entries(EVENT_BODIES).map(([name, schema]): DescribedMessage => ({
    name,
    action: 'send',
    summary: `Tells: ${name.slice('longhaul/'.length)}`,
    payload: named(name, asJson(schema)),
  }))
  return [...commands, ...events]
}

function messagesOf({
  name,
  command,
  input,
  eventNames,
}: Parameters<typeof asyncApi>[0][number]): DescribedMessage[] {
  const asks: DescribedMessage[] =
    command === undefined
      ? []
      : [
          {
            name: command,
            action: 'receive',
            summary: `Asks for a task of the type ${name}`,
            payload: { allOf: [named(command, { type: 'object' }), input] },
          },
        ]
  const tells = Object.entries(eventNames).map(([kind, own]): DescribedMessage => {
    const event = EVENT_BODIES[`longhaul/task-${kind}` as EventName]
    const body = { type: 'object', required: ['input'], properties: { input } }
    return {
      name: own,
      action: 'send',
      summary: `Tells that a task of the type ${name}: ${kind}`,
      payload: { allOf: [named(own, asJson(event)), body] },
    }
  })
  return [...asks, ...tells]
}

/** The body's schema with the two members that every message bears. */
function named(name: string, schema: JsonObject): JsonObject {
  const { properties, required, ...rest } = schema as {
    readonly properties?: JsonObject
    readonly required?: readonly Json[]
  }
  return {
    ...rest,
    type: 'object',
    required: ['$name', ...(required ?? [])],
    properties: { $name: { const: name }, $version: { type: 'integer' }, ...properties },
  }
}

/** TypeBox's own symbols and undefined members left out: what JSON keeps of it. */
function asJson(schema: object): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}

/** A key of AsyncAPI may hold letters, digits, dots, dashes and underscores. */
function keyOf(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '.')
}
