import { schedulerAdapterContract } from '../../../contract/scheduler-adapter.ts'
import { LIMIT_MS, NomadHarness } from './nomad-harness.ts'

// There is no Nomad to be had where nobody has started one.
if (process.env['NOMAD_ADDR'] !== undefined)
  describe('a real Nomad', function () {
    this.timeout(120_000)
    const abilities = { exitAfterStop: true, logTail: true, follow: true, withinMs: LIMIT_MS }
    schedulerAdapterContract('Nomad', abilities, () => Promise.resolve(new NomadHarness()))
  })
