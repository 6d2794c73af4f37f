import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Rejected } from '../../src/core/errors.ts'
import { Bell } from '../../src/engine/bell.ts'
import { runPublisher } from '../../src/engine/publisher.ts'
import type { EventLog } from '../../src/ports/event-log.ts'
import type { Store } from '../../src/ports/store.ts'
import { CountingMeter } from '../support/simulation.ts'
import { ManualClock, newEvent, openMemoryStore, until } from '../support/store.ts'
import { LineLogger } from './bus-harness.ts'

/** The publisher on its own, with a bus that the test holds. */
class Harness implements AsyncDisposable {
  readonly clock: ManualClock
  readonly store: Store
  readonly logger = new LineLogger()
  /** What has reached the bus, as `task/number`. */
  readonly sent: string[] = []
  readonly attributes: unknown[] = []
  refuse: (label: string) => boolean = () => false
  /** What a publishing that is refused ends with. */
  refusal: Error = new Error('the broker is away')
  /** Resolves when the bus takes messages, or the signal is aborted. */
  sendable: (signal: AbortSignal) => Promise<void> = () => Promise.resolve()
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  private constructor(store: Store, clock: ManualClock) {
    this.store = store
    this.clock = clock
  }

  static async open(): Promise<Harness> {
    const clock = new ManualClock()
    return new Harness(await openMemoryStore(clock), clock)
  }

  async write(taskId: string | undefined, numbers: readonly number[], differs = {}): Promise<void> {
    const drafts = numbers.map((number) => {
      const eventId = `${taskId ?? 'none'}/${number}`
      const { taskId: _, ...event } = newEvent(this.clock, eventId, differs)
      return { ...event, ...(taskId !== undefined && { taskId }) }
    })
    await this.store.tasks.append(drafts)
  }

  run(events: EventLog = this.store.events): void {
    this.#stop = new AbortController()
    const bell = new Bell()
    const unlisten = this.store.onWrite('events', bell.ring)
    this.#running = runPublisher({
      events,
      transport: {
        sendable: (signal) => this.sendable(signal),
        publish: async (message, attributes) => {
          await Promise.resolve()
          const label = (message as unknown as { eventId: string }).eventId
          if (this.refuse(label)) throw this.refusal
          this.sent.push(label)
          this.attributes.push(attributes)
        },
      },
      bell,
      clock: this.clock,
      logger: this.logger,
      meter: new CountingMeter(),
      signal: this.#stop.signal,
    }).finally(unlisten)
  }

  of(taskId: string): string[] {
    return this.sent.filter((label) => label.startsWith(`${taskId}/`))
  }

  async unsent(): Promise<number> {
    return (await this.store.tasks.figures(this.clock.now())).outbox.count
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.store[Symbol.asyncDispose]()
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describe('the publisher', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await Harness.open()
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  const drained = () => until(async () => (await harness.unsent()) === 0, 'everything is sent')

  /** Drives the clock until nothing is left to send. */
  const drainedInTime = () =>
    until(async () => {
      harness.clock.advance(31_000)
      await new Promise((resolve) => setImmediate(resolve))
      return (await harness.unsent()) === 0
    }, 'everything is sent')

  it('sends the events of a task in the order in which they were written', async () => {
    for (const task of ['a', 'b']) await harness.write(task, upTo(10))
    harness.run()
    await drained()
    for (const task of ['a', 'b']) {
      assert.deepEqual(
        harness.of(task),
        upTo(10).map((number) => `${task}/${number}`),
      )
    }
  })

  it('sends what is written later at once', async () => {
    harness.run()
    await harness.write('a', [1])
    await drained()
    await harness.write('a', [2])
    await drained()
    assert.deepEqual(harness.sent, ['a/1', 'a/2'])
  })

  it('sends them with the marks that the command bore', async () => {
    const marks = {
      correlationId: 'c',
      attributes: { reply: 'me' },
      stickyAttributes: { workflowId: 'w' },
    }
    await harness.write('a', [1], marks)
    await harness.write('a', [2])
    harness.run()
    await drained()
    assert.deepEqual(harness.attributes, [marks, { attributes: {}, stickyAttributes: {} }])
  })

  it('keeps the order of a task when publishing fails now and then, and loses nothing', async () => {
    for (const task of ['a', 'b', 'c']) await harness.write(task, upTo(8))
    let calls = 0
    harness.refuse = () => (calls += 1) % 3 !== 0
    harness.run()
    await drainedInTime()
    for (const task of ['a', 'b', 'c']) {
      assert.deepEqual(
        harness.of(task),
        upTo(8).map((number) => `${task}/${number}`),
      )
    }
  })

  it('lets an event that does not go hold up its own task alone', async () => {
    await harness.write('bad', [1, 2])
    for (const task of ['a', 'b']) await harness.write(task, upTo(5))
    harness.refuse = (label) => label === 'bad/1'
    harness.run()
    await until(async () => {
      harness.clock.advance(31_000)
      await new Promise((resolve) => setImmediate(resolve))
      return (await harness.unsent()) === 2
    }, 'the others are sent')
    assert.deepEqual(harness.of('bad'), [], 'the second does not overtake the first')
    harness.refuse = () => false
    await drainedInTime()
    assert.deepEqual(harness.of('bad'), ['bad/1', 'bad/2'])
  })

  it('lets events that the bus refuses hold up their own tasks alone, however many they are', async () => {
    for (const number of upTo(200)) await harness.write(`bad-${number}`, [1])
    await harness.write('good', [1, 2])
    harness.refusal = new Rejected('exchange-refused', 'it is of another kind')
    harness.refuse = (label) => label.startsWith('bad')
    harness.run()
    // No pause either: the clock stands still.
    await until(() => harness.of('good').length === 2, 'the others are sent')
    harness.refuse = () => false
    await drainedInTime()
    assert.equal(harness.sent.length, 202)
  })

  it('pauses longer after each failure in a row, to five seconds', async () => {
    await harness.write('a', [1])
    let tries = 0
    harness.refuse = () => {
      tries += 1
      return true
    }
    harness.run()
    await until(() => tries === 1, 'the first try')
    const rest = async () => {
      for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await rest()
    for (const [i, ms] of [200, 400, 800, 1_600, 3_200, 5_000, 5_000].entries()) {
      harness.clock.advance(ms - 1)
      await rest()
      assert.equal(tries, i + 1, `not before ${ms} ms`)
      harness.clock.advance(1)
      await rest()
      assert.equal(tries, i + 2, `after ${ms} ms`)
    }
  })

  it('claims nothing while the bus is away, and goes on as soon as it is back', async () => {
    await harness.write('a', [1])
    const back = Promise.withResolvers<undefined>()
    harness.sendable = () => back.promise
    harness.run()
    const claimed = await harness.store.events.claim(1, 1_000)
    assert.deepEqual(
      claimed.map(({ message }) => message['eventId']),
      ['a/1'],
      'another may have it',
    )
    await harness.store.events.giveBack(claimed.map(({ seq }) => seq))
    back.resolve(undefined)
    await drained()
    assert.deepEqual(harness.sent, ['a/1'])
  })

  it('claims nothing any more when it is asked to stop while the bus is away', async () => {
    await harness.write('a', [1])
    harness.sendable = async (signal) => {
      await once(signal, 'abort')
    }
    harness.run()
    await harness.stop()
    assert.deepEqual(harness.sent, [])
  })

  it('repeats an event whose marking was cut off, with the same id, and loses none', async () => {
    await harness.write('a', [1, 2])
    const { events } = harness.store
    let cut = true
    harness.run({
      ...events,
      claim: (limit, holdMs) => events.claim(limit, holdMs),
      markSent: (seqs, at) => {
        if (!cut) return events.markSent(seqs, at)
        cut = false
        return Promise.reject(new Error('the store is away'))
      },
    })
    await until(() => harness.sent.length === 1, 'the first is sent')
    await drainedInTime()
    assert.deepEqual(harness.sent, ['a/1', 'a/1', 'a/2'])
  })

  it('sends events of no task too', async () => {
    await harness.write(undefined, [1, 2, 3])
    harness.run()
    await drained()
    assert.deepEqual(harness.sent.toSorted(), ['none/1', 'none/2', 'none/3'])
  })

  it('finishes what is under way before it ends', async () => {
    await harness.write('a', [1])
    harness.run()
    await until(() => harness.sent.length === 1, 'it is sent')
    await harness.stop()
    assert.equal(await harness.unsent(), 0)
  })

  it('writes no message into the log when one does not go', async () => {
    await harness.write('a', [1], {
      message: { $name: 'longhaul/task-accepted', eventId: 'a/1', input: 'hunter2' },
    })
    let refused = 0
    harness.refuse = () => (refused += 1) > 0
    harness.run()
    await until(() => refused > 0, 'it is refused')
    await harness.stop()
    assert.ok(harness.logger.lines.some((line) => line.startsWith('publisher.paused')))
    assert.ok(!harness.logger.lines.some((line) => line.includes('hunter2')))
  })
})
