import assert from 'node:assert/strict'
import { createDrift, type Drift } from '../../src/engine/drift.ts'
import { fixedTypes, JumpingClock, loadedType, Simulation } from '../support/simulation.ts'
import { found, QuietLogger } from '../support/store.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

describe('drift', () => {
  let clock: JumpingClock
  let shifts: number[]
  let drift: Drift
  let shift: (ms: number) => Promise<void>
  beforeEach(() => {
    clock = new JumpingClock()
    shifts = []
    shift = (ms) => {
      shifts.push(ms)
      return Promise.resolve()
    }
    drift = createDrift({ clock, logger: new QuietLogger(), shift: (ms) => shift(ms) })
  })

  it('shifts by as much as the wall clock has jumped, forward and back, once', async () => {
    await drift.check()
    clock.jump(HOUR_MS)
    await drift.check()
    await drift.check()
    clock.jump(-2 * HOUR_MS)
    await drift.check()
    assert.deepEqual(shifts, [HOUR_MS, -2 * HOUR_MS])
  })

  it('takes time that passes for no jump', async () => {
    clock.advance(HOUR_MS)
    await drift.check()
    assert.deepEqual(shifts, [])
  })

  it('lets small steps be, until together they are a jump', async () => {
    for (let i = 0; i < 3; i += 1) {
      clock.jump(9_000)
      await drift.check()
    }
    assert.deepEqual(shifts, [])
    clock.jump(9_000)
    await drift.check()
    assert.deepEqual(shifts, [36_000])
  })

  it('has everyone who asks wait for the one shift', async () => {
    let finish: (() => void) | undefined
    shift = (ms) => {
      shifts.push(ms)
      return new Promise((resolve) => (finish = resolve))
    }
    clock.jump(HOUR_MS)
    let through = 0
    const checks = [1, 2, 3].map(() => drift.check().then(() => (through += 1)))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual([shifts, through], [[HOUR_MS], 0])
    finish?.()
    await Promise.all(checks)
    assert.deepEqual([shifts, through], [[HOUR_MS], 3])
  })

  it('shifts at the next look where the store was away', async () => {
    shift = () => Promise.reject(new Error('away'))
    clock.jump(HOUR_MS)
    await assert.rejects(drift.check(), /away/)
    shift = (ms) => Promise.resolve(void shifts.push(ms))
    await drift.check()
    assert.deepEqual(shifts, [HOUR_MS])
  })
})

const TYPE = loadedType('work', {
  start_timeout: '30s',
  attempt_timeout: '5m',
  retry: { max_attempts: 3, backoff: { initial: '10s', jitter: 'none' } },
  on_node_lost: { action: 'retry', after: '60s' },
})
const DEADLINE = loadedType('bounded', { deadline: '30m', start_timeout: '2h' })

for (const [way, jumpMs] of [
  ['an hour ahead', HOUR_MS],
  ['an hour back', -HOUR_MS],
] as const) {
  describe(`a clock that jumps ${way}`, () => {
    let simulation: Simulation
    beforeEach(async () => {
      simulation = await Simulation.open(fixedTypes(TYPE, DEADLINE))
    })
    afterEach(async () => {
      await simulation[Symbol.asyncDispose]()
    })

    const record = (id = 'work/1') => found(simulation.store, id)
    const state = async (id = 'work/1') => (await record(id)).task.state

    /** So much time passes, in steps. */
    async function pass(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= 5_000) await simulation.advance(Math.min(left, 5_000))
    }

    async function jump(): Promise<void> {
      simulation.clock.jump(jumpMs)
      await pass(1)
    }

    it('ends no attempt early or late', async () => {
      simulation.scheduler.program = () => ({})
      await simulation.accept('work', '1')
      await pass(2 * MINUTE_MS)
      await jump()
      assert.equal(await state(), 'running')
      await pass(3 * MINUTE_MS - 1_000)
      assert.equal(await state(), 'running', 'it has its five minutes')
      await pass(20_000)
      assert.equal((await record()).attempts[0]?.exit?.reason, 'attempt-timeout')
    })

    it('gives up no start early or late', async () => {
      simulation.scheduler.program = () => ({ startsAfterMs: 2 * HOUR_MS })
      await simulation.accept('work', '1')
      await pass(20_000)
      await jump()
      assert.equal(await state(), 'starting')
      await pass(8_000)
      assert.equal((await record()).attempts[0]?.exit, undefined)
      await pass(20_000)
      assert.equal((await record()).attempts[0]?.exit?.reason, 'start-timeout')
    })

    it('moves the backoff with it', async () => {
      simulation.scheduler.program = ({ identity }) =>
        identity.attempt === 1 ? { runsMs: 0, exit: { reason: 'failed', code: 3 } } : {}
      await simulation.accept('work', '1')
      await simulation.deliver(0)
      assert.equal(await state(), 'queued')
      await jump()
      await pass(9_000)
      assert.equal((await record()).task.attempt, 1, 'not before its ten seconds')
      await pass(2_000)
      assert.equal((await record()).task.attempt, 2, 'and not an hour later')
    })

    it('bears a lost node for as long as it would have', async () => {
      simulation.scheduler.program = () => ({})
      await simulation.accept('work', '1')
      simulation.scheduler.loseNode('node-1')
      await pass(30_000)
      await jump()
      await pass(25_000)
      assert.equal(await state(), 'running')
      await pass(10_000)
      assert.equal((await record()).attempts[0]?.exit?.reason, 'node-lost')
    })

    it('ends a cancelled task whose unit is gone', async () => {
      simulation.scheduler.program = () => ({ heedsStop: false })
      await simulation.accept('work', '1')
      await simulation.process.control.cancel({ taskId: 'work/1' })
      await simulation.quiesce()
      for (const { name } of simulation.scheduler.running()) {
        simulation.scheduler.drop(name, 'silently')
      }
      await jump()
      await pass(3 * MINUTE_MS)
      assert.equal(await state(), 'cancelled')
    })

    it('finds a unit lost in the time that it takes', async () => {
      simulation.scheduler.program = () => ({})
      await simulation.accept('work', '1')
      await jump()
      for (const { name } of simulation.scheduler.running()) {
        simulation.scheduler.drop(name, 'silently')
      }
      await pass(3 * MINUTE_MS)
      assert.equal((await record()).attempts[0]?.exit?.reason, 'lost')
    })

    it('asks again for a start that has failed', async () => {
      simulation.scheduler.program = () => ({})
      simulation.scheduler.fault = ({ method }) => (method === 'start' ? 'before' : undefined)
      await simulation.accept('work', '1')
      await jump()
      simulation.scheduler.fault = () => undefined
      await pass(MINUTE_MS)
      assert.equal(await state(), 'running')
    })

    it('leaves the deadline where it is', async () => {
      simulation.scheduler.program = () => ({})
      await simulation.accept('bounded', '1')
      await jump()
      await pass(MINUTE_MS)
      const { task, attempts } = await record('bounded/1')
      if (jumpMs > 0) {
        assert.equal(attempts[0]?.exit?.reason, 'deadline')
      } else {
        assert.equal(task.state, 'running')
        await pass(85 * MINUTE_MS)
        assert.equal(await state('bounded/1'), 'running')
        await pass(6 * MINUTE_MS)
        assert.equal((await record('bounded/1')).attempts[0]?.exit?.reason, 'deadline')
      }
    })

    it('leaves notBefore where it is', async () => {
      const notBefore = new Date(simulation.clock.now().getTime() + 30 * MINUTE_MS)
      await simulation.process.intake.runTask({
        loaded: TYPE,
        id: '1',
        input: {},
        notBefore,
        command: { messageId: 'm', attributes: {}, stickyAttributes: {} },
      })
      simulation.scheduler.program = () => ({})
      await jump()
      await pass(MINUTE_MS)
      assert.equal(await state(), jumpMs > 0 ? 'running' : 'queued')
      assert.deepEqual((await record()).task.notBefore, notBefore)
    })
  })
}
