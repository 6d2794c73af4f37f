import assert from 'node:assert/strict'
import { isEnded } from '../../src/core/task.ts'
import { fixedTypes, loadedType, runsOneImage, Simulation } from '../support/simulation.ts'

const TYPE = loadedType(
  'work',
  {
    start_timeout: '30s',
    attempt_timeout: '5s',
    retry: {
      max_attempts: 2,
      backoff: { initial: '2s', jitter: 'none' },
      rules: [{ when: { exit_code: [65] }, action: 'fail' }],
    },
    keep: { failed_unit: '2s', outcome: '30d' },
  },
  { image: 'work:1', stop_grace_period: '1s' },
)

/** What each attempt of each task does. */
const PROGRAMS: Readonly<Record<string, readonly (object | undefined)[]>> = {
  'work/cancelled': [{}],
  'work/redriven': [
    { runsMs: 1_000, exit: { reason: 'failed', code: 65 } },
    { runsMs: 1_000, exit: { reason: 'oom', code: 137 } },
    { runsMs: 1_000 },
  ],
  'work/slow': [{ heedsStop: false }, { runsMs: 0 }],
}
const IDS = Object.keys(PROGRAMS)

/** How every life of the daemon must end, whenever it was cut off. */
const OUTCOMES = {
  'work/cancelled': 'cancelled in run 1: cancelled',
  'work/redriven': 'succeeded in run 2: failed, oom, completed',
  'work/slow': 'succeeded in run 1: attempt-timeout, completed',
}

const EVENTS = [
  'work/cancelled: accepted started exited cancelled',
  'work/redriven: accepted started exited failed accepted started exited retrying started exited succeeded',
  'work/slow: accepted started exited retrying started exited succeeded',
]

/** A daemon's life, during which it may be cut off once; then another goes on. */
class Story {
  readonly simulation: Simulation
  /** The cut has come. */
  cut = false
  #dead = false

  constructor(simulation: Simulation) {
    this.simulation = simulation
    // Somebody pushes all the time.
    let pushes = 0
    simulation.scheduler.digest = () => `sha256:${(pushes += 1)}`
    simulation.scheduler.program = ({ identity }) =>
      PROGRAMS[identity.taskId]?.[identity.attempt - 1] ?? {}
  }

  dieAt(call: number, when: 'before' | 'after'): void {
    void this.simulation.process.dieAt(call, when).then(() => {
      this.cut = true
      this.#dead = true
    })
  }

  async #revive(): Promise<boolean> {
    if (!this.#dead) return false
    this.#dead = false
    await this.simulation.crash()
    return true
  }

  /** As a bus hands over a message: until it has been handled. */
  async #handle(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      const handled = work().then(() => true)
      await this.simulation.quiesce()
      const revived = await this.#revive()
      if (await Promise.race([handled, Promise.resolve(false)])) return
      assert.ok(revived, 'what is handled comes to an end')
    }
  }

  /** So much time passes, and the bus brings what the publisher has given it. */
  async pass(seconds: number): Promise<void> {
    const { simulation } = this
    for (let i = 0; i < seconds; i += 1) {
      await simulation.advance(1_000)
      await this.#revive()
      for (const message of simulation.wire.splice(0)) {
        await this.#handle(() => simulation.process.decider.decide(message.taskId, message.attempt))
      }
    }
  }

  async accept(taskId: string): Promise<void> {
    const command = { messageId: `accept ${taskId}`, attributes: {}, stickyAttributes: {} }
    const id = taskId.slice('work/'.length)
    await this.#handle(() =>
      this.simulation.process.intake.runTask({ loaded: TYPE, id, input: {}, command }),
    )
  }

  async control(what: 'cancel' | 'redrive', taskId: string): Promise<void> {
    await this.#handle(() =>
      this.simulation.process.control[what]({ taskId, commandId: `${what} ${taskId}` }),
    )
  }

  async play(): Promise<void> {
    for (const id of IDS) await this.accept(id)
    await this.until('work/cancelled', 'running')
    await this.control('cancel', 'work/cancelled')
    await this.until('work/redriven', 'failed')
    await this.control('redrive', 'work/redriven')
    for (let i = 0; i < 100; i += 1) {
      if (await this.#over()) break
      await this.pass(5)
    }
    // What the dead one had taken out of the outbox is held for half a minute.
    if (this.cut) for (let i = 0; i < 3; i += 1) await this.simulation.advance(31_000)
  }

  async until(taskId: string, state: string): Promise<void> {
    for (let i = 0; i < 50; i += 1) {
      const record = await this.simulation.store.tasks.find(taskId)
      if (record?.task.state === state) return
      await this.pass(2)
    }
  }

  async #over(): Promise<boolean> {
    const records = await this.simulation.records()
    return records.every(
      ({ task, attempts }) =>
        isEnded(task.state) && attempts.every(({ releasedAt }) => releasedAt !== undefined),
    )
  }

  async check(): Promise<void> {
    const { simulation } = this
    const records = await simulation.records()
    const outcomes = records.map(({ task, attempts }) => [
      task.id,
      `${task.state} in run ${task.run}: ${attempts.map(({ exit }) => exit?.reason).join(', ')}`,
    ])
    assert.deepEqual(Object.fromEntries(outcomes.toSorted()), OUTCOMES)
    const log = await simulation.events()
    const told = IDS.toSorted().map((id) => {
      const names = log.filter(({ taskId }) => taskId === id).map(({ name }) => name.slice(14))
      return `${id}: ${names.join(' ')}`
    })
    assert.deepEqual(told, EVENTS)
    assert.equal(new Set(log.map(({ eventId }) => eventId)).size, log.length)
    for (const { attempts } of records) {
      for (const { unit } of attempts) {
        assert.equal(simulation.scheduler.starts(unit), 1, `${unit} has run once`)
      }
    }
    runsOneImage(simulation.scheduler.taken)
    assert.deepEqual(await simulation.scheduler.list(AbortSignal.timeout(1_000)), [])
    assert.equal((await simulation.store.tasks.figures(simulation.clock.now())).outbox.count, 0)
  }
}

describe('a crash between any two writes', function () {
  this.timeout(60_000)

  it('is not needed for the one outcome', async () => {
    await using simulation = await Simulation.open(fixedTypes(TYPE))
    const story = new Story(simulation)
    await story.play()
    await story.check()
  })

  for (const when of ['before', 'after'] as const) {
    it(`leads to the one outcome all the same: just ${when} each write and call`, async () => {
      let call = 0
      for (let cut = true; cut;) {
        call += 1
        await using simulation = await Simulation.open(fixedTypes(TYPE))
        const story = new Story(simulation)
        story.dieAt(call, when)
        try {
          await story.play()
          await story.check()
        } catch (error) {
          throw new Error(`cut off ${when} call ${call}`, { cause: error })
        }
        ;({ cut } = story)
      }
      assert.ok(call > 60, `the story has only ${call} writes and calls`)
    })
  }
})
