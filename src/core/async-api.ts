import type { JsonObject } from './json.ts'
import { commandSchema, messageSchema, movedTo, OWN_MESSAGES } from './message-schema.ts'
import { COMMAND_BODIES, type EventName } from './messages.ts'
import type { TaskType } from './task-type.ts'

export interface AsyncApiOptions {
  readonly types: readonly Pick<TaskType, 'name' | 'command' | 'input' | 'eventNames'>[]
  /** The release's. */
  readonly version: string
  /** Where the messages go by, with neither user nor password; absent: the embedded bus. */
  readonly broker?: Broker
}

export interface Broker {
  readonly host: string
  readonly protocol: 'amqp' | 'amqps'
  readonly vhost: string
  /** The daemon's own, where what it receives ends up. */
  readonly queue: string
}

/**
 * The messages that a daemon with these task types takes and sends, as an AsyncAPI 3.0 document seen
 * from the daemon: it receives commands and sends events. A channel for each message name, which on
 * RabbitMQ is a durable fanout exchange of that name.
 */
export function asyncApi({ types, version, broker }: AsyncApiOptions): JsonObject {
  const keyOf = keys()
  const inputs = new Map(types.map(({ name }) => [name, keyOf(`${name}.input`)]))
  const messages = merged([...ownMessages(), ...types.flatMap((type) => messagesOf(type, inputs))])
  const channels = Map.groupBy(messages, ({ name }) => name)
  const channelKeys = new Map([...channels.keys()].map((name) => [name, keyOf(name)]))
  const placed = messages.map((message) => {
    const channel = channelKeys.get(message.name) ?? ''
    // The event of one type may be the command of another: then the name has two messages.
    const both = (channels.get(message.name)?.length ?? 1) > 1
    return { ...message, channel, key: both ? keyOf(`${channel}.${message.action}`) : channel }
  })
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Longhaul',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    ...(broker && { servers: { rabbitmq: serverOf(broker) } }),
    channels: Object.fromEntries(
      [...channelKeys].map(([name, key]) => [
        key,
        {
          address: name,
          messages: Object.fromEntries(
            placed
              .filter((message) => message.name === name)
              .map((message) => [message.key, { $ref: `#/components/messages/${message.key}` }]),
          ),
          ...(broker && {
            bindings: { amqp: exchangeOf(name, broker) },
          }),
        },
      ]),
    ),
    operations: Object.fromEntries(
      placed.map(({ action, summary, channel, key }) => [
        `${action}-${channel}`,
        {
          action,
          summary,
          channel: { $ref: `#/channels/${channel}` },
          messages: [{ $ref: `#/channels/${channel}/messages/${key}` }],
          ...(broker && { bindings: { amqp: OPERATION_BINDINGS[action] } }),
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(
        placed.map(({ key, name, action, summary, payload }) => [
          key,
          {
            name,
            title: name,
            summary,
            contentType: 'application/json',
            headers: { $ref: `#/components/schemas/${action}-headers` },
            payload: payload(`#/components/messages/${key}/payload`),
          },
        ]),
      ),
      schemas: {
        'receive-headers': headers('It may carry `longhaul-priority` and `longhaul-not-before`.'),
        'send-headers': headers('Empty.'),
        ...Object.fromEntries(
          types
            .filter(({ eventNames }) => Object.keys(eventNames).length > 0)
            .map(({ name, input }) => {
              const key = inputs.get(name) ?? ''
              return [key, movedTo(`#/components/schemas/${key}`, input)]
            }),
        ),
      },
    },
  }
}

const DESCRIPTION =
  'Commands that ask for long-running work, and the events that tell what became of it. Every event ' +
  'comes at least once, in order for each task, with a stable `eventId`. The correlation id and the ' +
  'sticky attributes of a command come back on every event of its task.'

interface Described {
  readonly name: string
  readonly action: 'receive' | 'send'
  readonly summary: string
  /** Its schema as it stands at a place of the document. */
  readonly payload: (place: string) => JsonObject
}

function ownMessages(): Described[] {
  return Object.entries(OWN_MESSAGES).map(([name, schema]) => {
    const command = name in COMMAND_BODIES
    const what = name.slice('longhaul/'.length)
    return {
      name,
      action: command ? 'receive' : 'send',
      summary: command ? `Asks the daemon: ${what}` : `Tells: ${what}`,
      payload: () => schema,
    }
  })
}

function messagesOf(
  { name, command, input, eventNames }: AsyncApiOptions['types'][number],
  inputs: ReadonlyMap<string, string>,
): Described[] {
  const asks: Described[] =
    command === undefined
      ? []
      : [
          {
            name: command,
            action: 'receive',
            summary: `Asks for a task of the type ${name}`,
            payload: (place) => movedTo(place, commandSchema(command, input)),
          },
        ]
  const tells = Object.entries(eventNames).map(([kind, own]): Described => {
    const longhaul: EventName = `longhaul/task-${kind as keyof typeof eventNames}`
    const { properties, required } = OWN_MESSAGES[longhaul] as {
      readonly properties: JsonObject
      readonly required: readonly string[]
    }
    const { $name: _, $version: __, ...fields } = properties
    const body: JsonObject = {
      required: [...required.filter((field) => field !== '$name'), 'input'],
      properties: {
        ...fields,
        taskType: { const: name },
        input: { $ref: `#/components/schemas/${inputs.get(name) ?? ''}` },
      },
    }
    return {
      name: own,
      action: 'send',
      summary: `Tells that a task of the type ${name} is ${kind}`,
      payload: () => messageSchema(own, body),
    }
  })
  return [...asks, ...tells]
}

/** One message for a name and a direction: several types, or kinds of events, may share a name. */
function merged(messages: readonly Described[]): Described[] {
  const groups = Map.groupBy(messages, ({ name, action }) => `${action} ${name}`)
  return [...groups.values()].flatMap((group): Described[] => {
    const [first] = group
    if (first === undefined || group.length === 1) return group
    return [
      {
        ...first,
        summary: group.map(({ summary }) => summary).join('; '),
        payload: (place) => ({
          anyOf: group.map(({ payload }, i) => payload(`${place}/anyOf/${i}`)),
        }),
      },
    ]
  })
}

/** A key of AsyncAPI has letters, digits, dots, dashes and underscores; two names never share one. */
function keys(): (name: string) => string {
  const taken = new Set<string>()
  return (name) => {
    const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '.')
    let key = plain
    for (let n = 2; taken.has(key); n += 1) key = `${plain}-${n}`
    taken.add(key)
    return key
  }
}

function headers(attributes: string): JsonObject {
  const json = { type: 'string', contentMediaType: 'application/json' }
  return {
    type: 'object',
    properties: {
      attributes: { ...json, description: `JSON of an object of plain values. ${attributes}` },
      stickyAttributes: {
        ...json,
        description:
          'JSON of an object of plain values, which goes from the command to every event of its task.',
      },
    },
  }
}

function serverOf({ host, protocol, vhost, queue }: Broker): JsonObject {
  return {
    host,
    protocol,
    protocolVersion: '0.9.1',
    ...(vhost !== '/' && { pathname: `/${encodeURIComponent(vhost)}` }),
    description: `RabbitMQ. What the daemon receives goes through its queue \`${queue}\`.`,
  }
}

const AMQP = { bindingVersion: '0.3.0' } as const

function exchangeOf(name: string, { vhost }: Broker): JsonObject {
  return {
    is: 'routingKey',
    exchange: { name, type: 'fanout', durable: true, autoDelete: false, vhost },
    ...AMQP,
  }
}

const OPERATION_BINDINGS: Readonly<Record<Described['action'], JsonObject>> = {
  receive: { ack: true, ...AMQP },
  send: { deliveryMode: 2, mandatory: false, ...AMQP },
}
