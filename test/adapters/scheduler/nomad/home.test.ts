import assert from 'node:assert/strict'
import { openNomadScheduler } from '../../../../adapters/scheduler/nomad/open.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { type NomadReplay, nomadReplay } from '../../../support/nomad-replay.ts'
import { QuietLogger } from '../../../support/store.ts'

const never = new AbortController().signal

describe('where a Nomad holds units', () => {
  let replay: NomadReplay
  beforeEach(async () => {
    replay = await nomadReplay()
    replay.on('GET /v1/agent/self', agentOf({ Region: 'eu' }))
  })
  afterEach(() => replay[Symbol.asyncDispose]())

  const agentOf = (config: object) => ({
    body: { config: { ...config, Version: { Version: '1.6.5' } } },
  })
  const homeWith = async (settings: { namespace?: string; region?: string }, env = {}) => {
    const options = { env, installation: 'test', logger: new QuietLogger() }
    const tls = {}
    await using scheduler = openNomadScheduler({
      settings: { address: replay.address, tls, ...settings },
      ...options,
    })
    return await scheduler.home(never)
  }

  for (const [settings, env, home] of [
    [{}, {}, 'nomad eu/default'],
    [{ namespace: 'batch' }, {}, 'nomad eu/batch'],
    [{}, { NOMAD_NAMESPACE: 'batch' }, 'nomad eu/batch'],
    // An agent passes on what is asked of another region.
    [{ region: 'us' }, {}, 'nomad us/default'],
    [{}, { NOMAD_REGION: 'us', NOMAD_TOKEN: 'secret' }, 'nomad us/default'],
  ] as const)
    it(`is ${home} with ${JSON.stringify({ ...settings, ...env })}`, async () => {
      assert.equal(await homeWith(settings, env), home)
    })

  it('is not known where the agent may not be asked, or does not say', async () => {
    replay.on('GET /v1/agent/self', { status: 403, body: 'Permission denied' })
    await assert.rejects(homeWith({}), Unavailable)
    replay.on('GET /v1/agent/self', agentOf({}))
    await assert.rejects(homeWith({}), Unavailable)
  })
})
