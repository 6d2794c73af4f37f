import assert from 'node:assert/strict'
import { Parser } from '@asyncapi/parser'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { asyncApi, type AsyncApiOptions } from '../../src/core/async-api.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { messagesSchema } from '../../src/core/message-schema.ts'
import { CancelTask, RedriveTask, RunTask } from '../../src/core/messages.ts'

type Type = AsyncApiOptions['types'][number]

const ENCODE: Type = {
  name: 'encode-video',
  command: 'media/encode-video',
  input: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://example.com/encode',
    type: 'object',
    required: ['videoId'],
    additionalProperties: false,
    properties: {
      videoId: { type: 'string' },
      size: { $ref: '#/$defs/size' },
      crop: { $ref: 'https://example.com/encode#/$defs/size' },
      // Names of properties, not keywords.
      enum: { $ref: '#wide' },
      $ref: { type: 'string' },
    },
    $defs: { size: { $anchor: 'wide', type: 'integer', minimum: 1 } },
  },
  eventNames: { succeeded: 'media/video-encoded', failed: 'media/video-lost' },
}
const THUMBNAIL: Type = {
  name: 'thumbnail',
  // What one type tells is what another is asked for by.
  command: 'media/video-encoded',
  input: { type: 'object' },
  eventNames: { failed: 'media/video-lost', cancelled: 'media/video-lost' },
}
const BROKER = { host: 'rabbit:5672', protocol: 'amqp', vhost: 'media', queue: 'longhaul' } as const

const ERROR = 0 // of the severities that editors have

/** What the reference parser finds wrong. */
async function faultsOf(document: object): Promise<string[]> {
  const diagnostics = await new Parser().validate(JSON.stringify(document))
  return diagnostics
    .filter(({ severity }) => severity.valueOf() === ERROR)
    .map(({ message, path }) => `${path.join('.')}: ${message}`)
}

/** What a message of a channel breaks of its schema. */
function checkerOf(document: object): (key: string, message: object) => unknown {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')
  return (key, message) => {
    const validate = ajv.compile({ $ref: `document#/components/messages/${key}/payload` })
    return validate(JSON.parse(JSON.stringify(message))) ? [] : validate.errors
  }
}

interface Document {
  readonly servers?: object
  readonly channels: Readonly<
    Record<string, { address: string; bindings?: object; messages: object }>
  >
  readonly operations: Readonly<Record<string, { action: string; channel: object }>>
}
const documentOf = (types: readonly Type[], broker?: typeof BROKER) =>
  asyncApi({ types, version: '1.2.3', ...(broker && { broker }) }) as unknown as Document

describe('the AsyncAPI document', () => {
  it('has nothing that the AsyncAPI parser calls an error, with and without a broker', async function () {
    this.timeout(60_000)
    assert.deepEqual(await faultsOf(documentOf([])), [])
    assert.deepEqual(await faultsOf(documentOf([ENCODE, THUMBNAIL], BROKER)), [])
    // The parser is asked properly: it sees what is wrong.
    const { channels: _, ...broken } = documentOf([ENCODE])
    assert.notDeepEqual(await faultsOf(broken), [])
  })

  it('has a channel for each name, which the daemon receives from or sends to', () => {
    const { channels, operations } = documentOf([ENCODE])
    assert.deepEqual(
      Object.values(channels)
        .map(({ address }) => address)
        .sort(),
      [
        ...['cancel-task', 'redrive-task', 'run-task', 'task-accepted', 'task-cancelled'],
        ...['task-exited', 'task-failed', 'task-rejected', 'task-retrying', 'task-started'],
        'task-succeeded',
      ]
        .map((name) => `longhaul/${name}`)
        .concat('media/encode-video', 'media/video-encoded', 'media/video-lost'),
    )
    const action = (key: string) =>
      ['receive', 'send'].filter((one) => `${one}-${key}` in operations)
    assert.deepEqual(action('longhaul.run-task'), ['receive'])
    assert.deepEqual(action('longhaul.task-failed'), ['send'])
    assert.deepEqual(action('media.encode-video'), ['receive'])
    assert.deepEqual(action('media.video-encoded'), ['send'])
  })

  it('says of RabbitMQ that a channel is a durable fanout exchange, and of the embedded bus nothing', () => {
    const { channels, servers } = documentOf([ENCODE], BROKER)
    assert.deepEqual(channels['media.encode-video']?.bindings, {
      amqp: {
        is: 'routingKey',
        exchange: {
          name: 'media/encode-video',
          type: 'fanout',
          durable: true,
          autoDelete: false,
          vhost: 'media',
        },
        bindingVersion: '0.3.0',
      },
    })
    assert.ok(JSON.stringify(servers).includes('rabbit:5672'))
    assert.ok(!JSON.stringify(documentOf([ENCODE])).includes('amqp'))
  })

  it('takes a command as it is on the bus, where the input allows no more than its own fields', () => {
    const check = checkerOf(documentOf([ENCODE]))
    const command = { $name: 'media/encode-video', $version: 1, videoId: 'a' }
    const faults = (differs: object) => check('media.encode-video', { ...command, ...differs })
    assert.deepEqual(faults({}), [])
    assert.deepEqual(faults({ size: 1, crop: 2, enum: 3, $ref: 'x' }), [])
    assert.deepEqual(faults({ $version: undefined }), [])
    for (const wrong of [
      { videoId: undefined },
      { size: 0 },
      { crop: 0 },
      { enum: 0 },
      { $ref: 1 },
      { more: 1 },
      { $name: 'media/other' },
    ]) {
      assert.notDeepEqual(faults(wrong), [], JSON.stringify(wrong))
    }
  })

  it('looks for limits of properties wherever they are applied to the command itself', () => {
    const input: JsonObject = {
      allOf: [{ $ref: '#/$defs/base' }],
      propertyNames: { pattern: '^[a-z]+$' },
      maxProperties: 2,
      unevaluatedProperties: false,
      $defs: {
        base: {
          additionalProperties: false,
          properties: { id: { type: 'string' }, nested: { $ref: '#/$defs/nested' } },
        },
        nested: { additionalProperties: false, properties: { a: { type: 'string' } } },
      },
    }
    const check = checkerOf(documentOf([{ name: 'a', command: 'x/a', input, eventNames: {} }]))
    const faults = (fields: object) => check('x.a', { $name: 'x/a', $version: 1, ...fields })
    assert.deepEqual(faults({ id: 'a', nested: { a: 'b' } }), [])
    assert.notDeepEqual(faults({ id: 'a', more: 1 }), [])
    assert.notDeepEqual(faults({ nested: { $name: 'b' } }), [])
  })

  it('describes both messages of a name that is sent by one type and takes another’s command', () => {
    const { channels } = documentOf([ENCODE, THUMBNAIL])
    assert.deepEqual(Object.keys(channels['media.video-encoded']!.messages), [
      'media.video-encoded.send',
      'media.video-encoded.receive',
    ])
    assert.equal(Object.keys(channels['media.video-lost']!.messages).length, 1)
  })

  it('keeps two names apart that differ in a character which a key cannot have', () => {
    const types = ['x/a', 'x.a', 'x:a'].map((command, i): Type => ({
      name: `t${i}`,
      command,
      input: {},
      eventNames: {},
    }))
    const { channels } = documentOf(types)
    assert.deepEqual(
      Object.values(channels)
        .map(({ address }) => address)
        .filter((address) => address.startsWith('x'))
        .sort(),
      ['x.a', 'x/a', 'x:a'],
    )
  })

  it('fits the commands that applications send', () => {
    const check = checkerOf(documentOf([]))
    const run = new RunTask({
      taskType: 'encode-video',
      id: 7,
      input: { videoId: 'a' },
      priority: 1,
    })
    assert.deepEqual(check('longhaul.run-task', run), [])
    assert.deepEqual(
      check('longhaul.cancel-task', new CancelTask({ taskId: 'encode-video/7', reason: 'late' })),
      [],
    )
    assert.deepEqual(
      check('longhaul.redrive-task', new RedriveTask({ taskId: 'encode-video/7', run: 1 })),
      [],
    )
  })
})

describe('the JSON Schema of the messages', () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const fits = ajv.compile(messagesSchema())

  it('takes each message as what its name says, and no other', () => {
    const cancel = { $name: 'longhaul/cancel-task', $version: 1, taskId: 'encode-video/7' }
    assert.ok(fits(cancel))
    assert.ok(fits({ $name: 'longhaul/cancel-task', taskId: 'encode-video/7' }))
    assert.ok(!fits({ ...cancel, $name: 'longhaul/run-task' }))
    assert.ok(!fits({ ...cancel, $name: 'media/other' }))
    assert.ok(!fits({ ...cancel, taskId: 7 }))
  })

  it('has each under its name', () => {
    const one = ajv.compile({
      ...messagesSchema(),
      oneOf: [{}],
      $ref: '#/$defs/longhaul~1redrive-task',
    })
    assert.ok(one({ $name: 'longhaul/redrive-task', taskId: 'encode-video/7' }))
    assert.ok(!one({ $name: 'longhaul/cancel-task', taskId: 'encode-video/7' }))
  })
})
