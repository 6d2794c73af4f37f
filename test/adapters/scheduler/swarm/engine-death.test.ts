import assert from 'node:assert/strict'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { ObservedExit } from '../../../../src/core/exit.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { within } from '../../../contract/scheduler-adapter.ts'
import { type Dockerd, openDockerd, useDockerd } from '../../../support/dockerd.ts'
import { LIMIT_MS, SwarmHarness, never } from './swarm-harness.ts'

/** A payload that says by its code that it was interrupted. */
const RUNS = 'trap "exit 143" TERM; sleep 1000 & wait'

describe('a swarm whose engine goes away', function () {
  this.timeout(180_000)
  // For what it needs, and whether that is here.
  useDockerd()
  let dockerd: Dockerd
  let harness: SwarmHarness
  before(async () => {
    dockerd = await openDockerd()
  })
  after(async () => {
    await dockerd[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    harness = await SwarmHarness.open(dockerd)
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  const startRunning = async (unit: UnitSpec): Promise<void> => {
    await harness.adapter.start(unit, never)
    await within(LIMIT_MS, 'it runs', async () => (await harness.runs(unit)) > 0 || undefined)
    await harness.until(unit, 'running')
  }

  /** The end of the unit by the first lists that the engine gives again. */
  const endOf = async (unit: UnitSpec): Promise<ObservedExit> =>
    await within(LIMIT_MS, `${unit.name} is over`, async () => {
      try {
        const seen = await harness.sight(unit)
        return seen?.phase === 'exited' ? seen.exit : undefined
      } catch (error) {
        // No leader yet.
        assert(error instanceof Unavailable)
        return undefined
      }
    })

  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    it(`makes nothing a success and runs nothing again after ${signal}`, async () => {
      const running = harness.script(RUNS)
      const failed = harness.script('exit 3')
      const good = harness.script('exit 0')
      await startRunning(running)
      for (const unit of [failed, good]) {
        await harness.adapter.start(unit, never)
        await harness.exitOf(unit)
      }
      const stream = await harness.adapter.watch(never)
      const watching = (async () => {
        for await (const _seen of stream);
      })()
      const ended = assert.rejects(watching, Unavailable)
      await dockerd.kill(signal)
      await ended
      await assert.rejects(harness.adapter.list(never), Unavailable)
      await assert.rejects(harness.adapter.start(running, never), Unavailable)
      const [report] = await harness.adapter.check(never)
      assert.equal(report?.ok, false)

      await dockerd.start()
      const end = await endOf(running)
      assert(['interrupted', 'killed'].includes(end.reason), JSON.stringify(end))
      assert.equal((await endOf(failed)).reason, 'failed')
      assert.equal((await endOf(good)).reason, 'completed')
      for (const unit of [running, failed, good]) assert.equal(await harness.runs(unit), 1)
    })
  }
})
