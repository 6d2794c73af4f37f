import { join } from 'node:path'
import { schedulerAdapterContract } from '../../../../contract/scheduler-adapter.ts'
import { useDockerd } from '../../../../support/dockerd.ts'
import { LIMIT_MS, SwarmHarness } from '../swarm-harness.ts'

describe('a real swarm of one node, watched by its control socket', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()
  const abilities = { exitAfterStop: false, logTail: true, follow: true, withinMs: LIMIT_MS }
  schedulerAdapterContract('Docker Swarm', abilities, () =>
    SwarmHarness.open(dockerd(), undefined, join(dockerd().execRoot, 'swarm')),
  )
})
