import assert from 'node:assert/strict'
import { openSwarmScheduler } from '../../../../adapters/scheduler/swarm/open.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { QuietLogger } from '../../../support/store.ts'
import { type FakeEngine, fakeEngine, json } from './fake-engine.ts'

const never = new AbortController().signal

describe('where a swarm holds units', () => {
  let engine: FakeEngine
  let answer: [status: number, body: unknown]
  beforeEach(async () => {
    engine = await fakeEngine((_, response) => {
      json(response, ...answer)
    })
  })
  afterEach(() => engine[Symbol.asyncDispose]())

  const home = async () => {
    await using scheduler = openSwarmScheduler({
      socket: engine.socket,
      installation: 'test',
      images: { requireDigest: false },
      logger: new QuietLogger(),
    })
    return await scheduler.home(never)
  }

  it('is its cluster, whichever manager is asked', async () => {
    answer = [200, { Swarm: { NodeID: 'one', ControlAvailable: true, Cluster: { ID: 'c1' } } }]
    assert.equal(await home(), 'swarm c1')
    answer = [200, { Swarm: { NodeID: 'two', ControlAvailable: true, Cluster: { ID: 'c1' } } }]
    assert.equal(await home(), 'swarm c1')
  })

  for (const [what, ...given] of [
    ['a worker', 200, { Swarm: { LocalNodeState: 'active', Cluster: null } }],
    ['an engine in no swarm', 200, { Swarm: { LocalNodeState: 'inactive' } }],
    ['a manager without a quorum', 200, { Swarm: { ControlAvailable: true, Cluster: { ID: '' } } }],
    ['an engine that errs', 500, { message: 'no' }],
  ] as const)
    it(`is not known by ${what}`, async () => {
      answer = given
      await assert.rejects(home(), Unavailable)
    })
})
