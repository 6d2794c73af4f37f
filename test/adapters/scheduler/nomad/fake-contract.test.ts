import { schedulerAdapterContract } from '../../../contract/scheduler-adapter.ts'
import type { SchedulerHarness } from '../../../contract/scheduler-adapter.ts'
import { FakeNomad } from '../../../support/fake-nomad/fake-nomad.ts'
import { LIMIT_MS, NomadHarness } from './nomad-harness.ts'

/** Faster than a real client, which has nothing to do with what is told. */
const REPORT_MS = 20

async function harnessOn(driver: string): Promise<SchedulerHarness> {
  const nomad = await FakeNomad.start({ reportMs: REPORT_MS })
  const harness = new NomadHarness({ address: nomad.address, driver })
  return {
    adapter: harness.adapter,
    reopen: () => harness.reopen(),
    unit: (program) => harness.unit(program),
    runs: (unit) => harness.runs(unit),
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]()
      await nomad[Symbol.asyncDispose]()
    },
  }
}

describe('a fake Nomad', function () {
  this.timeout(60_000)
  const abilities = { exitAfterStop: true, logTail: true, follow: true, withinMs: LIMIT_MS }
  for (const driver of ['raw_exec', 'docker'])
    schedulerAdapterContract(`Nomad with ${driver}`, abilities, () => harnessOn(driver))
})
