import { schedulerAdapterContract } from '../../../contract/scheduler-adapter.ts'
import { LIMIT_MS, NomadHarness } from './nomad-harness.ts'

if (process.env['NOMAD_ADDR'] === undefined) {
  // No skipped test, which CI would count: not even there is one to be had, and the fake one is asked.
  process.stderr.write('a real Nomad is not asked: NOMAD_ADDR names none\n')
} else
  describe('a real Nomad', function () {
    this.timeout(120_000)
    const abilities = { exitAfterStop: true, logTail: true, follow: true, withinMs: LIMIT_MS }
    schedulerAdapterContract('Nomad', abilities, () => Promise.resolve(new NomadHarness()))
  })
