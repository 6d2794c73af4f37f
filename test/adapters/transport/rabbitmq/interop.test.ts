import assert from 'node:assert/strict'
import { type BusInstance, Workflow, type WorkflowMapper, WorkflowState } from '@node-ts/bus-core'
import type { Command, Event, Message, MessageAttributes } from '@node-ts/bus-messages'
import { connect as amqplib } from 'amqplib'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { uniqueName, useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { event, NONE, onBroker, type Opened } from './opened.ts'
import { startStockApp } from './stock-app.ts'

// Of this file alone, so that no other test's queues are bound to them.
const RENDER = uniqueName('media/render')
const ENCODE = uniqueName('media/encode-video')
const ENCODED = uniqueName('media/video-encoded')

class Render implements Command {
  readonly $name: string = RENDER
  readonly $version = 1
}
class EncodeVideo implements Command {
  readonly $name: string = ENCODE
  readonly $version = 2
  readonly videoId: string
  constructor(videoId: string) {
    this.videoId = videoId
  }
}
class VideoEncoded implements Event {
  readonly $name: string = ENCODED
  readonly $version = 1
  readonly videoId: string
  constructor(videoId: string) {
    this.videoId = videoId
  }
}
class RenderState extends WorkflowState {
  readonly $name = 'RenderState'
  videoId: string | undefined
}

describe('an application on the stock @node-ts/bus-rabbitmq', function () {
  this.timeout(30_000)
  const broker = useBroker()
  let given: Opened
  let app: BusInstance | undefined
  let appQueue: string
  beforeEach(() => {
    given = onBroker(broker())
    appQueue = uniqueName('app')
  })
  afterEach(async () => {
    await app?.dispose()
    app = undefined
    for (const queue of [appQueue, `${appQueue}-retry`, `${appQueue}-dead-letter`]) {
      await given.admin.connection.queueDelete({ queue })
    }
    for (const exchange of [appQueue, `${appQueue}-retry`, RENDER, ENCODE, ENCODED]) {
      await given.admin.connection.exchangeDelete({ exchange })
    }
    await given[Symbol.asyncDispose]()
  })

  const stock = async (rest: Partial<Parameters<typeof startStockApp>[0]>) => {
    const deadLetterQueue = `${appQueue}-dead-letter`
    app = await startStockApp({ url: broker().url, queue: appQueue, deadLetterQueue, ...rest })
    return app
  }
  async function ours(): Promise<RabbitmqTransport> {
    const transport = await given.transport()
    await transport.subscribe([ENCODE])
    await transport.start()
    return transport
  }

  for (const first of ['the application', 'the daemon'] as const) {
    it(`sends a command and receives the event with its attributes, where ${first} is first`, async () => {
      const seen: [Message, MessageAttributes][] = []
      const handle = (message: Message, attributes: MessageAttributes) =>
        void seen.push([message, attributes])
      const handlers = [{ messageType: VideoEncoded, handle }]
      let transport = first === 'the daemon' ? await ours() : undefined
      const bus = await stock({ handlers })
      transport ??= await ours()

      const attributes = {
        attributes: { 'longhaul-priority': 5 },
        stickyAttributes: { tenant: 't' },
      }
      await bus.send(new EncodeVideo('42'), { correlationId: 'c', ...attributes })
      const command = await transport.readNextMessage()
      assert.deepEqual(command?.domainMessage, { $name: ENCODE, $version: 2, videoId: '42' })
      assert.deepEqual(command.attributes, { correlationId: 'c', ...attributes })
      assert.match(command.id ?? '', /^[0-9a-f-]{36}$/)
      await transport.deleteMessage(command)

      const { correlationId, stickyAttributes } = command.attributes
      const back = { attributes: {}, stickyAttributes, ...(correlationId && { correlationId }) }
      await transport.publish(event(ENCODED, { videoId: '42' }), back)
      await until(() => seen.length === 1, 'the application has its event')
      const [message, received] = seen[0]!
      assert.ok(message instanceof VideoEncoded)
      assert.equal(message.videoId, '42')
      assert.deepEqual(received, {
        correlationId: 'c',
        attributes: {},
        stickyAttributes: { tenant: 't' },
      })
    })
  }

  it('finds its own workflow by the workflowId that its command carried', async () => {
    const ended: unknown[] = []
    class RenderWorkflow extends Workflow<RenderState> {
      override configureWorkflow(mapper: WorkflowMapper<RenderState, RenderWorkflow>): void {
        mapper.withState(RenderState).startedBy(Render, 'begin').when(VideoEncoded, 'end')
      }
      async begin() {
        await app!.send(new EncodeVideo('42'))
        return { videoId: '42' }
      }
      end({ videoId }: VideoEncoded, state: RenderState) {
        ended.push([videoId, state.videoId])
        return this.completeWorkflow()
      }
    }
    const bus = await stock({ workflow: RenderWorkflow })
    const transport = await ours()
    await bus.send(new Render())
    const command = await transport.readNextMessage()
    const { stickyAttributes } = command!.attributes
    assert.match(String(stickyAttributes['workflowId']), /^[0-9a-f-]{36}$/)
    await transport.deleteMessage(command!)
    await transport.publish(event(ENCODED, { videoId: '41' }), NONE)
    await transport.publish(event(ENCODED, { videoId: '42' }), { attributes: {}, stickyAttributes })
    await until(() => ended.length > 0, 'the workflow has ended')
    assert.deepEqual(ended, [['42', '42']])
  })
})

describe('a publisher that knows AMQP and JSON alone', () => {
  const broker = useBroker()

  it('reaches the daemon with a $name and no headers, with and without a message id', async () => {
    await using given = onBroker(broker())
    const transport = await given.consuming()
    const connection = await amqplib(broker().url)
    try {
      const channel = await connection.createConfirmChannel()
      const body = Buffer.from(JSON.stringify({ $name: given.name, videoId: '42' }))
      channel.publish(given.name, '', body, { messageId: 'theirs' })
      channel.publish(given.name, 'any', body, { contentType: 'application/json' })
      await channel.waitForConfirms()
      for (const id of ['theirs', undefined]) {
        const message = await transport.readNextMessage()
        assert.deepEqual(message?.domainMessage, { $name: given.name, videoId: '42' })
        assert.deepEqual(message.attributes, NONE)
        assert.equal(message.id, id)
        await transport.deleteMessage(message)
      }
    } finally {
      await connection.close()
    }
  })
})
