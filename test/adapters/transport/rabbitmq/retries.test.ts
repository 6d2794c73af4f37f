import assert from 'node:assert/strict'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import { TryAgain, Unavailable } from '../../../../src/core/errors.ts'
import { useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { NONE, onBroker, type Opened } from './opened.ts'

describe('the RabbitMQ transport, with messages that fail', function () {
  this.timeout(60_000)
  const broker = useBroker({ node: true })
  let given: Opened
  beforeEach(() => {
    given = onBroker(broker())
  })
  afterEach(() => given[Symbol.asyncDispose]())

  /** Fails the next message, and gives its copy in that queue. */
  async function failInto(transport: RabbitmqTransport, end: string, error: Error) {
    const message = await transport.readNextMessage()
    transport.failed(message!.raw, error)
    await transport.returnMessage(message!)
    const queue = `${given.queue}-${end}`
    return given.admin.connection.basicGet({ queue, noAck: true })
  }
  const body = () => `{ "$name": "${given.name}",  "n": 1.0 }`

  for (const [tried, end] of [
    [0, 'retry-1s'],
    [1, 'retry-5s'],
    [2, 'retry-25s'],
    [3, 'retry-125s'],
    [4, 'retry-300s'],
    [8, 'retry-300s'],
    [9, 'dead-letter'],
  ] as const) {
    it(`puts a message that has failed ${tried} times before into ${end}`, async () => {
      const transport = await given.consuming(1)
      await given.inject(body(), {
        messageId: 'id-1',
        correlationId: 'c',
        contentType: 'application/json',
        type: 'kept',
        expiration: '3600000',
        headers: {
          stickyAttributes: '{"workflowId":"w"}',
          theirs: 7,
          CC: ['elsewhere'],
          ...(tried > 0 && { 'longhaul-tries': tried }),
        },
      })
      const copy = await failInto(transport, end, new TypeError('broken'))
      assert.ok(copy)
      assert.equal((copy.body as { n: number }).n, 1)
      const { messageId, correlationId, type, expiration, durable, headers } = copy
      assert.deepEqual([messageId, correlationId, type], ['id-1', 'c', 'kept'])
      assert.deepEqual([durable, expiration], [true, undefined])
      assert.equal(headers?.['longhaul-tries'], tried + 1)
      assert.equal(headers['theirs'], 7)
      assert.equal(headers['stickyAttributes'], '{"workflowId":"w"}')
      assert.equal(headers.CC, undefined)
      const [time] = headers['longhaul-failed-at'] as string[]
      assert.ok(Math.abs(Date.now() - Date.parse(time!)) < 60_000)
      if (end !== 'dead-letter') return
      assert.equal(headers['longhaul-error-name'], 'TypeError')
      assert.equal(headers['longhaul-error-message'], 'broken')
      assert.match(String(headers['longhaul-error-stack']), /^TypeError: broken\n {4}at /)
    })
  }

  it('takes the pause nearest to the one that is asked for', async () => {
    const transport = await given.consuming(1)
    for (const [pauseMs, end] of [
      [10, 'retry-1s'],
      [7_000, 'retry-5s'],
      [60_000, 'retry-25s'],
      [90_000, 'retry-125s'],
      [3_600_000, 'retry-300s'],
    ] as const) {
      await transport.post('id-1', { $name: given.name }, NONE)
      const copy = await failInto(transport, end, new TryAgain('unknown-task', 'not yet', pauseMs))
      assert.ok(copy, `${pauseMs} ms`)
    }
  })

  it('keeps in hand what cannot be tried, and sends it anew after five minutes, uncounted', async () => {
    let laterMs = 0
    const clock = { ...systemClock, monotonicMs: () => performance.now() + laterMs }
    const transport = await given.consuming(1, { clock })
    await given.inject(body(), { messageId: 'id-1', headers: { 'longhaul-tries': 2 } })
    const away = new Unavailable('store-unavailable', 'away')
    for (let n = 0; n < 2; n++) {
      const message = await transport.readNextMessage()
      assert.deepEqual([message?.id, message?.raw.tries], ['id-1', 2])
      transport.failed(message!.raw, away)
      if (n === 1) laterMs = 300_000
      await transport.returnMessage(message!)
    }
    const copy = await given.admin.connection.basicGet({ queue: `${given.queue}-retry-1s` })
    assert.equal(copy?.headers?.['longhaul-tries'], 2)
  })

  it('gives back at once, uncounted, what it has fetched and not handed over when it stops', async () => {
    const stopping = await given.consuming(4)
    for (const id of ['1', '2', '3']) await stopping.post(id, { $name: given.name }, NONE)
    const inHand = await stopping.readNextMessage()
    const other = await given.consuming(4)
    await stopping.stop()
    const seen: unknown[] = []
    for (let n = 0; n < 2; n++) {
      const message = await other.readNextMessage()
      seen.push(message?.id, message?.raw.tries)
      await other.deleteMessage(message!)
    }
    assert.deepEqual(seen, ['2', 0, '3', 0])
    await stopping.deleteMessage(inHand!)
    await stopping.dispose()
    assert.equal(await given.admin.count(given.queue), 0)
  })

  it('keeps what crashes have brought back more often than the broker bears', async () => {
    // The limit that RabbitMQ 4 has by itself, made small.
    const policy = `limit-${given.queue}`
    const pattern = `^${given.queue}$`
    await setPolicy(policy, pattern, { 'delivery-limit': 3 })
    const first = await given.transport()
    await first.subscribe([given.name])
    await first.post('id-1', { $name: given.name }, NONE)
    for (let crash = 0; crash < 4; crash++) {
      const dying = await given.consuming(1)
      assert.equal((await dying.readNextMessage())?.id, 'id-1')
      await dying.dispose()
    }
    const letters = async () => (await first.deadLetters.list({ limit: 5 })).letters
    await until(async () => (await letters()).length === 1, 'it is a dead letter', 20_000)
    const [letter] = await letters()
    assert.equal(letter?.messageId, 'id-1')
    assert.equal(letter.error.name, 'DeliveryLimit')
    assert.equal(await first.deadLetters.replay(letter.id), true)
    const healthy = await given.consuming(1)
    const message = await healthy.readNextMessage()
    assert.deepEqual([message?.id, message?.raw.tries], ['id-1', 0])
    await healthy.deleteMessage(message!)
    await broker().node!.rabbitmqctl('clear_policy', policy)
  })

  it('can look at dead letters more often than the broker bears', async () => {
    const policy = `limit-${given.queue}`
    await setPolicy(policy, `^${given.queue}-dead-letter$`, { 'delivery-limit': 20 })
    const transport = await given.consuming(1)
    for (const id of ['1', '2', '3']) {
      await given.inject('{', { messageId: id, contentType: 'application/json' })
    }
    for (let n = 0; n < 30; n++) {
      await until(async () => {
        const { letters } = await transport.deadLetters.list({ limit: 5 })
        return letters.length === 3
      }, `look ${n}`)
    }
    await broker().node!.rabbitmqctl('clear_policy', policy)
  })

  it('shows all dead letters to two daemons that look at the same time', async () => {
    const [one, two] = [await given.consuming(1), await given.transport()]
    for (let n = 0; n < 20; n++) await given.inject('{', { messageId: String(n) })
    const look = async (transport: RabbitmqTransport) =>
      (await transport.deadLetters.list({ limit: 50 })).letters
    await until(async () => (await look(one)).length === 20, 'all are there')
    const counts = await Promise.all(
      [one, two, one, two].map(async (at) => (await look(at)).length),
    )
    assert.deepEqual(counts, [20, 20, 20, 20])
    const [letter] = await look(one)
    const replayed = await Promise.all([
      one.deadLetters.drop(letter!.id),
      two.deadLetters.drop(letter!.id),
    ])
    assert.deepEqual(replayed.sort(), [false, true])
    assert.equal((await look(two)).length, 19)
  })

  it('keeps the bytes of what it cannot read, whatever type it says to be', async () => {
    const transport = await given.consuming(1)
    const bodies: Record<string, Buffer> = {
      'application/json': Buffer.from('{ "a" : 1.0 }'),
      'text/plain': Buffer.from([0xff, 0x41]),
    }
    for (const [contentType, bytes] of Object.entries(bodies)) {
      const channel = await given.admin.connection.acquire()
      await channel.basicPublish(
        { routingKey: given.queue, contentType, messageId: contentType },
        bytes,
      )
      await channel.close()
    }
    let letters: Awaited<ReturnType<typeof transport.deadLetters.list>>['letters'] = []
    await until(async () => {
      letters = (await transport.deadLetters.list({ limit: 5 })).letters
      return letters.length === 2
    }, 'both are dead letters')
    for (const { messageId, body: kept } of letters) {
      assert.deepEqual(Buffer.from(kept.data, kept.encoding), bodies[messageId])
    }
  })

  async function setPolicy(name: string, pattern: string, definition: object): Promise<void> {
    const command = ['set_policy', '--apply-to', 'queues', name, pattern]
    await broker().node!.rabbitmqctl(...command, JSON.stringify(definition))
  }
})
