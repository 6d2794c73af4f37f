import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import {
  nomadApi,
  type NomadApi,
} from '../../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import { targetOf } from '../../../../../adapters/scheduler/nomad/client/target.ts'
import type { EventView } from '../../../../../adapters/scheduler/nomad/views.ts'
import { subscribe } from '../../../../../adapters/scheduler/nomad/watch/event-stream.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import { type NomadReplay, nomadReplay } from '../../../../support/nomad-replay.ts'

const never = new AbortController().signal
const EVENTS = '/v1/event/stream'
const FRAME = { Index: 7, Events: [{ Topic: 'Job', Payload: { Job: { ID: 'lh-ä€😀-1' } } }] }

describe('the stream of events', () => {
  let replay: NomadReplay
  let api: NomadApi
  beforeEach(async () => {
    replay = await nomadReplay()
    api = nomadApi(targetOf({ address: replay.address, tls: {} }, {}))
  })
  afterEach(async () => {
    await api[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })

  const subscribed = (more: Partial<Parameters<typeof subscribe>[1]> = {}) =>
    subscribe(api, { signal: never, mentions: '"lh-', ...more })
  const refused = async (subscribing: Promise<unknown>, message: RegExp): Promise<void> => {
    await assert.rejects(subscribing, (error) => {
      assert.ok(error instanceof Unavailable, String(error))
      assert.match(error.message, message)
      return true
    })
  }

  for (const framing of ['chunked', 'until-close'] as const)
    describe(`that comes ${framing}`, () => {
      beforeEach(() => {
        replay.streams(EVENTS, framing)
      })

      it('is subscribed to once its first heartbeat is there', async () => {
        let done = false
        const subscribing = subscribed().then(() => (done = true))
        const stream = await replay.stream()
        await stream.write('{')
        assert.equal(done, false)
        await stream.write('}')
        assert.equal(done, false)
        await stream.write('\n')
        await subscribing
      })

      it('asks for each topic once, from the newest event on', async () => {
        const subscribing = subscribed()
        const stream = await replay.stream()
        await stream.write('{}\n')
        await subscribing
        const { searchParams } = stream.url
        assert.deepEqual(searchParams.getAll('topic'), ['Job', 'Allocation', 'Evaluation'])
        assert.equal(searchParams.get('index'), '9007199254740991')
        assert.equal(searchParams.get('namespace'), 'default')
      })

      it('gives the events of its frames, and nothing for heartbeats and what it need not read', async () => {
        const subscribing = subscribed()
        const stream = await replay.stream()
        await stream.write('{}\n')
        const events = await subscribing
        const others = { Index: 6, Events: [{ Topic: 'Job', Payload: { Job: { ID: 'web' } } }] }
        await stream.write(`${JSON.stringify(others)}\n{}\n${JSON.stringify(FRAME)}\n{}\n`)
        stream.end()
        assert.deepEqual((await gathered(events)).told, FRAME.Events)
      })

      it('is over when it ends, though nobody says so, and what was cut off is no event', async () => {
        const subscribing = subscribed()
        const stream = await replay.stream()
        await stream.write('{}\n')
        const events = await subscribing
        await stream.write(JSON.stringify(FRAME))
        stream.end()
        const { told, error } = await gathered(events)
        assert.deepEqual(told, [])
        assert.ok(error instanceof Unavailable)
        assert.match(error.message, /has ended/)
      })

      it('is over when its server is killed', async () => {
        const subscribing = subscribed()
        const stream = await replay.stream()
        await stream.write('{}\n{"Ind')
        const events = await subscribing
        stream.destroy()
        assert.ok((await gathered(events)).error instanceof Unavailable)
      })

      it('is over when heartbeats stay away', async () => {
        const subscribing = subscribed({ silenceMs: 50 })
        const stream = await replay.stream()
        await stream.write('{}\n')
        const { error } = await gathered(await subscribing)
        assert.ok(error instanceof Unavailable)
        assert.match(error.message, /timeout/i)
      })

      it('is over when a text comes in its middle', async () => {
        const subscribing = subscribed()
        const stream = await replay.stream()
        await stream.write('{}\n')
        const events = await subscribing
        await stream.write('rpc error: no path to "lh-region"\n')
        const { error } = await gathered(events)
        assert.ok(error instanceof Unavailable)
        assert.match(error.message, /no path to/)
      })

      it('is left when the signal is aborted, and its connection with it', async () => {
        const given = new AbortController()
        const subscribing = subscribed({ signal: given.signal })
        const stream = await replay.stream()
        await stream.write('{}\n')
        const reading = gathered(await subscribing)
        given.abort()
        assert.deepEqual(await reading, { told: [], error: undefined })
      })

      it('is denied where it ends before a heartbeat', async () => {
        const subscribing = subscribed()
        subscribing.catch(() => undefined)
        const stream = await replay.stream()
        stream.end()
        await refused(subscribing, /before its first heartbeat: the token may not `read-job`/)
      })

      it('is given up where no heartbeat begins it', async () => {
        const subscribing = subscribed({ firstMs: 50 })
        subscribing.catch(() => undefined)
        await replay.stream()
        await refused(subscribing, /no heartbeat came within 50 ms/)
      })
    })

  it('is refused with the words of the server', async () => {
    // As Nomad 1.6.5 was recorded (test/fixtures/nomad/acl-denied.json).
    replay.on(`GET ${EVENTS}`, { status: 500, body: 'Permission denied' })
    await refused(subscribed(), /500 Permission denied/)
    replay.on(`GET ${EVENTS}`, { status: 400, body: 'Invalid topic query' })
    await refused(subscribed(), /400 Invalid topic query/)
  })

  it('is Unavailable where nobody is there, and when the signal is aborted before', async () => {
    await refused(subscribed({ signal: AbortSignal.abort() }), /given up/)
    await replay[Symbol.asyncDispose]()
    await refused(subscribed(), /ECONNREFUSED/)
    replay = await nomadReplay()
  })

  it('of Nomad 1.11.2, which is not HTTP, is told as that', async () => {
    await using stack = new AsyncDisposableStack()
    const server = createServer((socket) => {
      socket.end('HTTP/0.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}\n')
    })
    stack.defer(() => void server.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const old = stack.use(nomadApi(targetOf({ address, tls: {} }, {})))
    await refused(subscribe(old, { signal: never, mentions: '' }), /1\.11\.2 answers so \(#27582\)/)
  })
})

/** Everything until the end, and what the end was. */
async function gathered(events: AsyncIterable<readonly EventView[]>) {
  const told: EventView[] = []
  let error: unknown
  try {
    for await (const some of events) told.push(...some)
  } catch (thrown) {
    error = thrown
  }
  return { told, error }
}
