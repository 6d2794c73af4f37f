import assert from 'node:assert/strict'
import { EmbeddedTransport } from '../../../../adapters/transport/embedded/transport.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { MessageTable } from '../../../../src/ports/message-table.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { ManualClock, openMemoryStore, QuietLogger, until } from '../../../support/store.ts'

describe('the embedded transport, when it stops', () => {
  const command = { $name: 'media/encode', $version: 1 }
  const none = { attributes: {}, stickyAttributes: {} }
  let store: Store
  let clock: ManualClock
  beforeEach(async () => {
    clock = new ManualClock()
    store = await openMemoryStore(clock)
  })
  afterEach(() => store[Symbol.asyncDispose]())

  async function started(differs: Partial<MessageTable>): Promise<EmbeddedTransport> {
    const transport = new EmbeddedTransport({
      store: {
        messages: { ...store.messages, ...differs },
        onWrite: (topic, listener) => store.onWrite(topic, listener),
      },
      clock,
      logger: new QuietLogger(),
    })
    await transport.subscribe([command.$name])
    await transport.start()
    return transport
  }

  it('gives back, uncounted, what it had fetched and not handed over', async () => {
    const answered = Promise.withResolvers<undefined>()
    let claimed = 0
    const transport = await started({
      async claim(limit, holdMs) {
        const messages = await store.messages.claim(limit, holdMs)
        claimed += messages.length
        if (messages.length > 0) await answered.promise
        return messages
      },
    })
    await transport.post('id-1', command, none)
    const reading = transport.readNextMessage()
    await until(() => claimed === 1, 'the message is fetched')
    const stopped = transport.stop()
    assert.equal(await reading, undefined)
    answered.resolve(undefined)
    await stopped
    const [message] = await store.messages.claim(1, 1000)
    assert.deepEqual([message?.id, message?.tries], ['id-1', 0])
    await transport.dispose()
  })

  it('leaves what it could not settle: the message comes again', async () => {
    const away = () => Promise.reject(new Unavailable('store-unavailable', 'away'))
    const transport = await started({ done: away })
    await transport.post('id-1', command, none)
    const message = await transport.readNextMessage()
    assert.ok(message)
    let settled = false
    const deleting = transport.deleteMessage(message).then(() => (settled = true))
    clock.advance(10_000)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(settled, false, 'it goes on trying')
    await transport.dispose()
    await deleting
    clock.advance(60_000)
    assert.equal((await store.messages.claim(1, 1000)).length, 1)
  })

  it('settles a message once, by the first that is said of it', async () => {
    const transport = await started({})
    await transport.post('id-1', command, none)
    const message = await transport.readNextMessage()
    assert.ok(message)
    await transport.returnMessage(structuredClone(message))
    await transport.deleteMessage(message)
    await transport.fail(message)
    clock.advance(1000)
    const again = await transport.readNextMessage()
    assert.equal(again?.raw.tries, 1)
    await transport.deleteMessage(again)
    await transport.dispose()
    assert.equal(await store.messages.nextDue(), undefined)
  })

  it('can be started again', async () => {
    const transport = await started({})
    await transport.stop()
    await transport.start()
    await transport.post('id-1', command, none)
    assert.equal((await transport.readNextMessage())?.id, 'id-1')
    await transport.dispose()
  })
})
