import assert from 'node:assert/strict'
import { lackingOf } from '../../../../adapters/scheduler/nomad/check-lacking.ts'
import { nomadApi } from '../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import { targetOf } from '../../../../adapters/scheduler/nomad/client/target.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { TaskType } from '../../../../src/core/task-type.ts'
import { type NomadReplay, nomadReplay } from '../../../support/nomad-replay.ts'
import { typeOf } from './job/units.ts'

const never = new AbortController().signal

const node = (driver: string, more: object = {}) => ({
  ID: driver,
  Status: 'ready',
  SchedulingEligibility: 'eligible',
  Drivers: { [driver]: { Detected: true, Healthy: true } },
  ...more,
})

describe('what a task type names and Nomad does not have', () => {
  let nomad: NomadReplay
  beforeEach(async () => {
    nomad = await nomadReplay()
    nomad.on('GET /v1/nodes', { body: [node('docker')] })
  })
  afterEach(() => nomad[Symbol.asyncDispose]())

  const lacking = async (...types: readonly TaskType[]) => {
    await using api = nomadApi(targetOf({ address: nomad.address, tls: {} }, {}))
    return await lackingOf(api, types, never)
  }

  it('is nothing where all is there, each thing asked for once', async () => {
    nomad.on('GET /v1/var/longhaul/secrets/key', { body: { Items: { value: 'x' } } })
    nomad.on('GET /v1/var/nomad/jobs', { body: { Items: { s: 'x' } } })
    nomad.on('GET /v1/node/pool/gpu', { body: { Name: 'gpu' } })
    const variables = { settings: { path: 'nomad/jobs', item: 's' } }
    const type = typeOf(
      { image: 'i', secrets: ['key'], configs: ['settings'] },
      { node_pool: 'gpu', variables },
    )
    assert.deepEqual(await lacking(type, type), [])
    assert.equal(nomad.asked.length, 4)
  })

  it('is each variable, item, pool and driver, where its file names it', async () => {
    nomad.on('GET /v1/var/nomad/jobs', { body: { Items: null } })
    const variables = { settings: { path: 'nomad/jobs', item: 's' } }
    const type = typeOf(
      { image: 'i', secrets: ['older', 'key'], configs: ['settings'] },
      { driver: 'podman', node_pool: 'gpu', variables },
    )
    const found = await lacking(type)
    assert.deepEqual(
      found.map(({ path, message }) => [path.join('.'), message]),
      [
        ['x-task.nomad.driver', 'no node that is ready has the driver podman'],
        ['x-task.nomad.node_pool', 'Nomad has no node pool gpu'],
        ['secrets.0', 'Nomad has no variable longhaul/secrets/o1'],
        ['secrets.1', 'Nomad has no variable longhaul/secrets/key'],
        ['configs.0', 'the variable nomad/jobs has no item `s`'],
      ],
    )
    assert.equal(found.at(-1)?.remedy, 'nomad var put nomad/jobs s=@FILE')
  })

  it('is nothing that the token may not read', async () => {
    nomad.on('GET *', { status: 403, body: 'Permission denied' })
    assert.deepEqual(await lacking(typeOf({ image: 'i', secrets: ['key'] })), [])
  })

  it('is no driver where no node is ready: that is another trouble', async () => {
    nomad.on('GET /v1/nodes', { body: [node('exec', { Status: 'down' })] })
    assert.deepEqual(await lacking(typeOf({ image: 'i' })), [])
  })

  it('is nothing of what cannot be read, which is refused elsewhere', async () => {
    assert.deepEqual(await lacking(typeOf({ image: 'i', secrets: ['odd'] })), [])
  })

  it('is not known where Nomad does not answer', async () => {
    nomad.on('GET /v1/var/longhaul/secrets/key', { status: 500, body: 'No cluster leader' })
    await assert.rejects(lacking(typeOf({ image: 'i', secrets: ['key'] })), Unavailable)
  })
})
