import assert from 'node:assert/strict'
import {
  Bus,
  type BusInstance,
  Workflow,
  type WorkflowMapper,
  WorkflowState,
  WorkflowStatus,
} from '@node-ts/bus-core'
import type { Command, Event, MessageAttributes } from '@node-ts/bus-messages'
import { TryAgain, Unavailable } from '../../src/core/errors.ts'
import type { NewMessage } from '../../src/ports/message-table.ts'
import type { MessageTransport, RawMessage } from '../../src/ports/transport.ts'
import { until } from '../support/store.ts'

/** A transport of its own for each test, and what a test does to its surroundings. */
export interface TransportCase extends AsyncDisposable {
  readonly transport: MessageTransport
  /** Puts a message into the queue as it is, whatever it is. */
  inject(message: NewMessage): Promise<void>
  /** Makes the pauses before retries pass; absent where they pass by themselves only. */
  readonly passTime?: (ms: number) => void
  /** Takes away what the messages are kept in, and brings it back. */
  readonly cutOff?: (away: boolean) => void
}

class Encode implements Command {
  readonly $name: string = 'media/encode'
  readonly $version = 1
  readonly videoId: string
  constructor(videoId: string) {
    this.videoId = videoId
  }
}
class Encoded implements Event {
  readonly $name: string = 'media/encoded'
  readonly $version = 1
}
class EncodeState extends WorkflowState {
  readonly $name = 'EncodeState'
}

type Handler = (message: Encode, attributes: MessageAttributes) => Promise<void> | void
const NONE: MessageAttributes = { attributes: {}, stickyAttributes: {} }

/** Everything that src/ports says of a transport, through a real bus. */
export function transportContract(
  name: string,
  open: () => Promise<TransportCase>,
  /** Whether the cases can make time pass and cut the transport off: then these are tested as well. */
  { controlled }: { readonly controlled: boolean },
): void {
  describe(`${name} keeps the contract of the transport`, () => {
    let given: TransportCase
    let bus: BusInstance | undefined
    let errors: unknown[]

    beforeEach(async () => {
      given = await open()
      errors = []
    })
    afterEach(async () => {
      await bus?.dispose()
      bus = undefined
      await given[Symbol.asyncDispose]()
    })

    async function run(handler: Handler, concurrency = 2): Promise<BusInstance> {
      const configuration = quiet(given.transport, concurrency).withHandler({
        messageType: Encode,
        messageHandler: handler,
      })
      return start(configuration.build())
    }

    async function start(instance: BusInstance): Promise<BusInstance> {
      bus = instance
      instance.onError.on(({ rawMessage, error }) => {
        errors.push(error)
        given.transport.failed(rawMessage!.raw as RawMessage, error)
      })
      await instance.initialize()
      await instance.start()
      return instance
    }

    const letters = async () => (await given.transport.deadLetters.list({ limit: 50 })).letters
    const text = (value: string) => new TextEncoder().encode(value)

    it('delivers a command with its attributes, and keeps its id', async () => {
      const seen: unknown[] = []
      let ids: (string | undefined)[] = []
      const instance = await run((message, attributes) => void seen.push(message, attributes))
      instance.afterReceive.on(({ message }) => (ids = [...ids, message.id]))
      const attributes = {
        correlationId: 'c',
        attributes: { priority: 3, gone: undefined },
        stickyAttributes: { workflowId: 'w', flag: true, gone: undefined },
      }
      const message = { $name: 'media/encode', $version: 1, videoId: 'naïve ☃' }
      await given.transport.post('id-1', message, attributes)
      await until(() => seen.length === 2, 'it is handled')
      assert.ok(seen[0] instanceof Encode)
      assert.deepEqual(Object.fromEntries(Object.entries(seen[0])), message)
      assert.deepEqual(seen[1], {
        correlationId: 'c',
        attributes: { priority: 3 },
        stickyAttributes: { workflowId: 'w', flag: true },
      })
      assert.deepEqual(ids, ['id-1'])
    })

    it('sends by bus-core, and receives names that are subscribed to later', async () => {
      const seen: string[] = []
      const configuration = quiet(given.transport, 1).withCustomHandler(
        (message: { $name: string }) => void seen.push(message.$name),
        { resolveWith: () => true },
      )
      const instance = await start(configuration.build())
      await assert.rejects(instance.send(new Encode('1')), { code: 'unknown-message' })
      await assert.rejects(given.transport.post('1', { $name: 'media/encode' }, NONE), {
        code: 'unknown-message',
      })
      await instance.publish(new Encoded())
      await given.transport.subscribe(['media/encode', 'media/encoded'])
      await instance.send(new Encode('1'))
      await instance.publish(new Encoded())
      await until(() => seen.length === 2, 'both are handled')
      assert.deepEqual(seen.sort(), ['media/encode', 'media/encoded'])
    })

    it('buries at once what breaks the bus, and goes on with what does not', async () => {
      const seen: string[] = []
      await run(({ videoId }) => void seen.push(videoId), 1)
      const bad: Record<string, Uint8Array> = {
        'no JSON': text('{'),
        null: text('null'),
        array: text('[{"$name":"media/encode"}]'),
        constructor: text('{"$name":"constructor"}'),
        proto: text('{"$name":"__proto__"}'),
        number: text('{"$name":1}'),
        nameless: text('{}'),
        binary: new Uint8Array([0xff, 0xfe, 0]),
      }
      let told = 0
      given.transport.onBuried(() => (told += 1))
      for (const [id, body] of Object.entries(bad)) await given.inject({ id, body, headers: {} })
      const good = text('{"$name":"media/encode","$version":1,"videoId":"v"}')
      for (const header of ['attributes', 'stickyAttributes']) {
        for (const value of ['{', '[]', 'null', '{"a":{}}']) {
          await given.inject({ id: `${header} ${value}`, body: good, headers: { [header]: value } })
        }
      }
      await given.inject({ id: 'good', body: good, headers: {} })
      await until(() => seen.length === 1, 'the good one is handled')
      const buried = await letters()
      assert.equal(buried.length, Object.keys(bad).length + 8)
      await until(() => told === buried.length, 'each is told of')
      for (const letter of buried) {
        assert.ok(letter.error.message.length > 0)
        const { body, id } = (await given.transport.deadLetters.show(letter.id))!
        const original = bad[letter.messageId] ?? good
        assert.deepEqual(Buffer.from(body.data, body.encoding), Buffer.from(original), id)
      }
      assert.equal(buried.find(({ messageId }) => messageId === 'binary')?.body.encoding, 'base64')
      assert.equal(buried.find(({ messageId }) => messageId === 'null')?.name, undefined)
      assert.deepEqual(errors, [])
    })

    it('waits for the next message, and ends at once with undefined when stopped', async () => {
      const { transport } = given
      await transport.connect?.({ concurrency: 2 })
      await transport.subscribe(['media/encode'])
      assert.equal(await transport.readNextMessage(), undefined, 'not started')
      await transport.start?.()
      const first = transport.readNextMessage()
      const second = transport.readNextMessage()
      await transport.send(new Encode('1'), NONE)
      const message = await first
      assert.ok(message)
      assert.deepEqual(structuredClone(message.raw), message.raw)
      await transport.deleteMessage(message)
      await transport.stop?.()
      assert.equal(await second, undefined)
      assert.equal(await transport.readNextMessage(), undefined)
    })

    it('takes no more messages than there are handlers free, each once', async () => {
      let running = 0
      let most = 0
      const seen: string[] = []
      await run(async ({ videoId }) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(videoId)
        running -= 1
      }, 3)
      const ids = Array.from({ length: 40 }, (_, n) => String(n))
      await Promise.all(ids.map((id) => given.transport.send(new Encode(id), NONE)))
      await until(() => seen.length >= 40, 'all are handled')
      assert.ok(most <= 3)
      assert.deepEqual([...new Set(seen)].length, 40)
      assert.equal(seen.length, 40)
    })

    it('buries what its handler fails, once, also from inside a workflow', async () => {
      class Failing extends Workflow<EncodeState> {
        override configureWorkflow(mapper: WorkflowMapper<EncodeState, Failing>): void {
          mapper
            .withState(EncodeState)
            .when(Encode, 'encode', { lookup: () => 'x', mapsTo: '$workflowId' })
        }
        async encode() {
          await bus!.failMessage()
          return this.discardWorkflow()
        }
      }
      const state = Object.assign(new EncodeState(), {
        $workflowId: 'x',
        $version: 1,
        $status: WorkflowStatus.Running,
      })
      const configuration = quiet(given.transport, 1)
        .withWorkflow(Failing)
        .withPersistence({
          prepare: () => undefined,
          initializeWorkflow: () => Promise.resolve(),
          getWorkflowState: <T extends WorkflowState>() => Promise.resolve([state as unknown as T]),
          saveWorkflowState: () => Promise.reject(new Error('not to be saved')),
        })
      await start(configuration.build())
      await given.transport.send(new Encode('1'), NONE)
      await until(async () => (await letters()).length === 1, 'it is buried')
      const [letter] = await letters()
      assert.equal(letter?.name, 'media/encode')
      assert.equal(await given.transport.deadLetters.drop(letter.id), true)
      assert.deepEqual(errors, [])
    })

    it('replays a dead letter as if it had never been tried', async () => {
      let failing = true
      let handled = 0
      await run(async () => {
        handled += 1
        if (failing) await bus!.failMessage()
      })
      await given.transport.post('id-1', { $name: 'media/encode', $version: 1 }, NONE)
      await until(async () => (await letters()).length === 1, 'it is buried')
      failing = false
      const [letter] = await letters()
      assert.equal(await given.transport.deadLetters.replay(letter!.id), true)
      await until(() => handled === 2, 'it is handled again')
      assert.deepEqual(await letters(), [])
      assert.equal(await given.transport.deadLetters.replay(letter!.id), false)
    })

    it('brings a failed message back after a pause, and lets others pass it', async () => {
      const seen: string[] = []
      await run(({ videoId }) => {
        seen.push(videoId)
        if (videoId === 'bad' && seen.length === 1) throw new Error('not yet')
      }, 1)
      await given.transport.send(new Encode('bad'), NONE)
      await until(() => errors.length === 1, 'it has failed')
      await given.transport.send(new Encode('good'), NONE)
      await until(() => seen.length === 2, 'the other is handled')
      await until(() => {
        given.passTime?.(1000)
        return seen.length === 3
      }, 'it is back')
      assert.deepEqual(seen, ['bad', 'good', 'bad'])
    })

    it('tells a handler how often its message has failed, and pauses as long as that asks for', async () => {
      const tries: number[] = []
      const instance = await run(() => {
        if (tries.length === 1) throw new TryAgain('unknown-task', 'not yet', 1200)
      }, 1)
      instance.afterReceive.on(({ message }) => tries.push((message.raw as RawMessage).tries))
      await given.transport.send(new Encode('1'), NONE)
      await until(() => {
        given.passTime?.(1000)
        return tries.length === 2
      }, 'it is back')
      assert.deepEqual(tries, [0, 1])
    })

    it('spends no try where a handler lacks what it needs, and asks again in a while', async () => {
      const tries: number[] = []
      const instance = await run(() => {
        if (tries.length < 3) throw new Unavailable('store-unavailable', 'away')
      }, 1)
      instance.afterReceive.on(({ message }) => tries.push((message.raw as RawMessage).tries))
      await given.transport.send(new Encode('1'), NONE)
      await until(() => {
        given.passTime?.(1000)
        return tries.length === 3
      }, 'it is handled')
      assert.deepEqual(tries, [0, 0, 0])
      assert.deepEqual(await letters(), [])
    })

    it('lists dead letters newest first, a page at a time', async () => {
      await run(async () => bus!.failMessage(), 1)
      for (const id of ['1', '2', '3']) {
        await given.transport.post(id, { $name: 'media/encode', $version: 1 }, NONE)
        await until(async () => (await letters()).length === Number(id), `${id} is buried`)
        given.passTime?.(1000)
      }
      const { deadLetters } = given.transport
      const first = await deadLetters.list({ limit: 2 })
      assert.ok(first.next !== undefined)
      const second = await deadLetters.list({ limit: 2, cursor: first.next })
      assert.equal(second.next, undefined)
      const ids = [...first.letters, ...second.letters].map(({ messageId }) => messageId)
      assert.deepEqual(ids, ['3', '2', '1'])
      assert.equal(await deadLetters.drop(first.letters[0]!.id), true)
      assert.equal(await deadLetters.drop(first.letters[0]!.id), false)
      assert.equal(await deadLetters.show(first.letters[0]!.id), undefined)
      assert.equal((await letters()).length, 2)
    })

    if (!controlled) return

    it('tries again after 1, 5, 25, 125, then 300 s, and buries after the 10th try', async () => {
      const passTime = given.passTime!
      let tries = 0
      await run(() => {
        tries += 1
        throw new TypeError(`try ${tries}`)
      })
      await given.transport.post('id-1', { $name: 'media/encode', $version: 1 }, NONE)
      const pauses = [1, 5, 25, 125, 300, 300, 300, 300, 300]
      for (const [index, seconds] of pauses.entries()) {
        await until(() => errors.length === index + 1, `try ${index + 1}`)
        await settled()
        passTime(seconds * 1000 - 1)
        await settled()
        assert.equal(tries, index + 1, `not before ${seconds} s`)
        passTime(1)
      }
      await until(async () => (await letters()).length === 1, 'it is buried')
      const [letter] = await letters()
      assert.equal(tries, 10)
      assert.equal(letter?.tries, 10)
      assert.equal(letter.messageId, 'id-1')
      assert.deepEqual([letter.error.name, letter.error.message], ['TypeError', 'try 10'])
      assert.match(letter.error.stack ?? '', /^TypeError: try 10\n/)
      assert.ok((letter.error.stack ?? '').split('\n').length <= 6)
    }).timeout(30_000)

    it('spends no try while the messages cannot be reached, and throws nothing', async () => {
      const passTime = given.passTime!
      const cutOff = given.cutOff!
      const seen: (string | number)[] = []
      const instance = await run(async ({ videoId }) => {
        seen.push(videoId)
        if (videoId === 'during') cutOff(true)
        await Promise.resolve()
      }, 1)
      instance.afterReceive.on(({ message }) => {
        seen.push((message.raw as RawMessage).tries)
      })
      await given.transport.send(new Encode('during'), NONE)
      await given.transport.send(new Encode('after'), NONE)
      await until(() => seen.includes('during'), 'the first is handled')
      passTime(1000)
      await settled()
      cutOff(false)
      await until(() => {
        passTime(10_000)
        return seen.includes('after')
      }, 'the second is handled')
      assert.deepEqual(seen, [0, 'during', 0, 'after'])
      assert.deepEqual(errors, [])
      assert.deepEqual(await letters(), [])
    })

    it('gives a slow handler its message once, however slow it is', async () => {
      const passTime = given.passTime!
      const release = Promise.withResolvers<undefined>()
      let handled = 0
      await run(async () => {
        handled += 1
        await release.promise
      })
      await given.transport.send(new Encode('1'), NONE)
      await until(() => handled === 1, 'the handler is at work')
      for (let n = 0; n < 30; n++) {
        passTime(20_000)
        await settled()
      }
      passTime(3_600_000)
      await settled()
      assert.equal(handled, 1)
      release.resolve(undefined)
    })
  })
}

function quiet(transport: MessageTransport, concurrency: number) {
  const silent = () => undefined
  const logger = {
    debug: silent,
    info: silent,
    warn: silent,
    error: silent,
    fatal: silent,
    trace: silent,
  }
  const configuration = Bus.configure()
    .withTransport(transport)
    .withConcurrency(concurrency)
    .withLogger(() => logger)
  // bus-core's own handlers of SIGINT and SIGTERM would outlive the test.
  Object.assign(configuration, { interruptSignals: [] })
  return configuration
}

/** Long enough for everything that is not waiting for time to have happened. */
async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
}
