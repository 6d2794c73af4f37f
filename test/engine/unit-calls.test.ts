import assert from 'node:assert/strict'
import { Rejected, Unavailable } from '../../src/core/errors.ts'
import type { FakeProgram } from '../support/fake-scheduler.ts'
import { fixedTypes, loadedType, runsOneImage, Simulation } from '../support/simulation.ts'
import { found } from '../support/store.ts'

const TYPE = loadedType(
  'work',
  {
    start_timeout: '30s',
    retry: { max_attempts: 3, backoff: { initial: '10s', jitter: 'none' } },
    keep: { failed_unit: '0s' },
  },
  { image: 'work:1' },
)

const FAILS: FakeProgram = { runsMs: 1_000, exit: { reason: 'failed', code: 1 } }

describe('asking the scheduler', () => {
  let simulation: Simulation
  beforeEach(async () => {
    simulation = await Simulation.open(fixedTypes(TYPE))
  })
  afterEach(() => simulation[Symbol.asyncDispose]())

  const record = () => found(simulation.store, 'work/1')
  const seconds = async (count: number) => {
    for (let i = 0; i < count; i += 1) await simulation.advance(1_000)
  }
  const exits = async () =>
    (await record()).attempts.map(({ exit }) => [exit?.reason, exit?.message])

  describe('what an image means', () => {
    let pushes = 0
    beforeEach(() => {
      pushes = 0
      simulation.scheduler.digest = () => `sha256:${(pushes += 1)}`
    })

    it('is asked once a run, whichever daemon goes on with it, and anew for the next run', async () => {
      const { scheduler } = simulation
      scheduler.program = () => FAILS
      await simulation.accept('work', '1')
      await seconds(2)
      await simulation.crash()
      await seconds(60)
      assert.equal((await record()).task.state, 'failed')
      assert.deepEqual(
        scheduler.taken.map(({ service }) => service.image),
        Array.from({ length: 3 }, () => 'work:1@sha256:1'),
      )
      await simulation.process.control.redrive({ taskId: 'work/1' })
      await seconds(2)
      assert.equal(scheduler.taken.at(-1)?.service.image, 'work:1@sha256:2')
      runsOneImage(scheduler.taken)
    })

    it('is asked again where it could not be told, and then stays', async () => {
      const { scheduler } = simulation
      scheduler.program = () => FAILS
      scheduler.digest = () => undefined
      await simulation.accept('work', '1')
      await seconds(5)
      scheduler.digest = () => `sha256:${(pushes += 1)}`
      await seconds(60)
      assert.deepEqual(
        scheduler.taken.map(({ service }) => service.image),
        ['work:1', 'work:1@sha256:1', 'work:1@sha256:1'],
      )
    })

    it('is image-unavailable where the registry says no, and rejected where the file does', async () => {
      const { scheduler } = simulation
      const codes = ['image-unavailable', 'image-not-allowed', 'image-unavailable']
      scheduler.digest = () => {
        throw new Rejected(codes.shift() ?? '', 'no')
      }
      await simulation.accept('work', '1')
      for (let i = 0; i < 40; i += 1) await simulation.advance(61_000)
      assert.deepEqual(await exits(), [
        ['image-unavailable', 'no'],
        ['rejected', 'no'],
        ['image-unavailable', 'no'],
      ])
      assert.deepEqual(scheduler.taken, [])
    })

    it('starts nothing any more where a cancel has come meanwhile', async () => {
      const { scheduler } = simulation
      let cancelling: Promise<unknown> | undefined
      scheduler.digest = () => {
        cancelling ??= simulation.process.control.cancel({ taskId: 'work/1' })
        return 'sha256:1'
      }
      const resolve = scheduler.resolve.bind(scheduler)
      scheduler.resolve = async (...args) => {
        const image = await resolve(...args)
        await cancelling
        return image
      }
      await simulation.accept('work', '1')
      await seconds(40)
      assert.equal((await record()).task.state, 'cancelled')
      assert.deepEqual(scheduler.taken, [])
    })
  })

  it('ends no attempt as refused while what an earlier call made may still run', async () => {
    const kept = loadedType('work', { keep: { failed_unit: '1h' } }, { image: 'work:1' })
    await using other = await Simulation.open(fixedTypes(kept))
    const { scheduler } = other
    scheduler.program = () => ({ startsAfterMs: 40_000 })
    scheduler.fault = ({ method }) => (method === 'start' ? 'after' : undefined)
    await other.accept('work', '1')
    await other.advance(100)
    assert.equal(scheduler.taken.length, 1, 'it was taken, and nobody knows')
    scheduler.start = () => Promise.reject(new Rejected('image-not-allowed', 'no more'))
    for (let i = 0; i < 60; i += 1) await other.advance(1_000)
    const { attempts } = await found(other.store, 'work/1')
    assert.equal(attempts[0]?.exit?.reason, 'rejected')
    assert.equal(scheduler.starts(attempts[0].unit), 0)
  })

  /** The first start call is not answered, and comes through when that is called for. */
  function unanswered(how: 'fails' | 'hangs', then?: typeof simulation.scheduler.start) {
    const { scheduler } = simulation
    const start = scheduler.start.bind(scheduler)
    let first: (() => Promise<void>) | undefined
    scheduler.start = (...call) => {
      if (first !== undefined) return (then ?? start)(...call)
      first = () => start(call[0], new AbortController().signal)
      return how === 'hangs'
        ? new Promise(() => undefined)
        : Promise.reject(new Unavailable('timeout', 'no answer'))
    }
    return () => first!()
  }

  const refuse = () => Promise.reject(new Rejected('spec', 'no more'))

  for (const how of ['fails', 'hangs'] as const)
    it(`takes no refusal for the end while a call that ${how} may still come through`, async () => {
      simulation.scheduler.program = () => ({})
      const comesThrough = unanswered(how, refuse)
      await simulation.accept('work', '1')
      if (how === 'hangs') await simulation.crash()
      await seconds(13)
      await comesThrough()
      await seconds(90)
      const { task, attempts } = await record()
      assert.deepEqual([task.state, attempts.length], ['running', 1])
      assert.equal(simulation.meter.lateCopies, 0)
    })

  it('holds the name of what is over while a call that was not answered may still come through', async () => {
    const { scheduler } = simulation
    scheduler.program = () => ({ runsMs: 500 })
    const comesThrough = unanswered('fails')
    await simulation.accept('work', '1')
    await seconds(2)
    assert.equal((await record()).attempts[0]?.exit?.reason, 'completed')
    await comesThrough()
    await seconds(10)
    assert.equal(scheduler.starts((await record()).attempts[0]!.unit), 1)
    assert.ok((await record()).attempts[0]?.releasedAt)
  })

  it('removes once more what could not be removed after a refusal, without a wait for what was answered', async () => {
    const { scheduler } = simulation
    scheduler.start = refuse
    let removals = 0
    scheduler.fault = ({ method }) => {
      if (method !== 'remove') return undefined
      removals += 1
      return removals < 7 ? 'before' : undefined
    }
    await simulation.accept('work', '1')
    await seconds(64)
    assert.equal(removals, 7, 'after pauses that grow')
    assert.deepEqual((await exits())[0], ['rejected', 'no more'])
  })

  it('ends an attempt as refused once no call before it can come through any more', async () => {
    const { scheduler } = simulation
    let calls = 0
    scheduler.start = () => {
      calls += 1
      const error = calls === 1 ? new Unavailable('timeout', 'no answer') : undefined
      return Promise.reject(error ?? new Rejected('spec', 'no more'))
    }
    await simulation.accept('work', '1')
    await seconds(70)
    assert.deepEqual((await exits())[0], ['rejected', 'no more'])
  })

  describe('an attempt that is given up before it runs', () => {
    const waits = (waitsFor: FakeProgram['waitsFor']): FakeProgram =>
      waitsFor === undefined ? { startsAfterMs: 3_600_000 } : { startsAfterMs: 3_600_000, waitsFor }
    const pull = waits({ message: 'pull: i/o timeout' })

    it('ends with what it waited for', async () => {
      simulation.scheduler.program = () => pull
      await simulation.accept('work', '1')
      await seconds(34)
      assert.deepEqual((await exits())[0], ['start-timeout', 'pull: i/o timeout'])
    })

    it('ends as unschedulable where no node was found for it', async () => {
      simulation.scheduler.program = () => waits({ message: 'no suitable node', unplaced: true })
      await simulation.accept('work', '1')
      await seconds(34)
      assert.deepEqual((await exits())[0], ['unschedulable', 'no suitable node'])
    })

    it('ends so also for a daemon that came a moment before, or after its time was over', async () => {
      for (const after of [29, 25, 1]) {
        await using other = await Simulation.open(fixedTypes(TYPE))
        other.scheduler.program = () => pull
        await other.accept('work', '1')
        for (let i = 0; i < after; i += 1) await other.advance(1_000)
        await other.process.kill()
        await other.advance(after === 1 ? 60_000 : 1_000)
        await other.crash()
        for (let i = 0; i < 12; i += 1) await other.advance(1_000)
        const [first] = (await found(other.store, 'work/1')).attempts
        assert.deepEqual(
          [first?.exit?.reason, first?.exit?.message],
          ['start-timeout', 'pull: i/o timeout'],
        )
      }
    })

    it('tells a daemon that came between the stop and its effect', async () => {
      const { scheduler } = simulation
      scheduler.program = () => pull
      scheduler.fault = ({ method }) => (method === 'stop' ? 'before' : undefined)
      await simulation.accept('work', '1')
      await seconds(32)
      assert.equal((await record()).attempts[0]?.stop?.message, 'pull: i/o timeout')
      scheduler.fault = () => undefined
      await simulation.crash()
      await seconds(10)
      assert.deepEqual((await exits())[0], ['start-timeout', 'pull: i/o timeout'])
    })

    it('has nothing to tell where the scheduler said nothing', async () => {
      simulation.scheduler.program = () => waits(undefined)
      await simulation.accept('work', '1')
      await seconds(34)
      const [[reason] = []] = await exits()
      assert.equal(reason, 'start-timeout')
    })
  })
})
