import { schedulerAdapterContract } from '../../../contract/scheduler-adapter.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { LIMIT_MS, SwarmHarness } from './swarm-harness.ts'

describe('a real swarm of one node', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()
  // A removed service's exit code is to be seen for a fifth of a second, in no list.
  const abilities = { exitAfterStop: false, logTail: true, follow: true, withinMs: LIMIT_MS }
  schedulerAdapterContract('Docker Swarm', abilities, () => SwarmHarness.open(dockerd()))
})
