import assert from 'node:assert/strict'
import { lackingOf } from '../../../../../adapters/scheduler/nomad/check/lacking.ts'
import { nomadApi } from '../../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import { targetOf } from '../../../../../adapters/scheduler/nomad/client/target.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import type { TaskType } from '../../../../../src/core/task-type.ts'
import { type NomadReplay, nomadReplay } from '../../../../support/nomad-replay.ts'
import { typeOf } from '../job/units.ts'

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
    assert.deepEqual(await lacking(type, type), { lacks: [], unseen: [] })
    assert.equal(nomad.asked.length, 4)
  })

  it('is each variable, item, pool and driver, where its file names it', async () => {
    nomad.on('GET /v1/var/nomad/jobs', { body: { Items: null } })
    const variables = { settings: { path: 'nomad/jobs', item: 's' } }
    const type = typeOf(
      { image: 'i', secrets: ['older', 'key'], configs: ['settings'] },
      { driver: 'podman', node_pool: 'gpu', variables },
    )
    const { lacks, unseen } = await lacking(type)
    assert.deepEqual(
      lacks.map(({ path, message }) => [path.join('.'), message]),
      [
        ['x-task.nomad.driver', 'no node that is ready has the driver podman'],
        ['x-task.nomad.node_pool', 'Nomad has no node pool gpu'],
        ['secrets.0', 'Nomad has no variable longhaul/secrets/o1'],
        ['secrets.1', 'Nomad has no variable longhaul/secrets/key'],
        ['configs.0', 'the variable nomad/jobs has no item `s`'],
      ],
    )
    assert.equal(lacks.at(-1)?.remedy, 'nomad var put nomad/jobs s=@FILE')
    assert.deepEqual(unseen, [])
  })

  it('is nothing that the token may not see, which is told apart, with what it would take', async () => {
    nomad.on('GET *', { status: 403, body: 'Permission denied' })
    const type = typeOf({ image: 'i', secrets: ['key', 'other'] }, { node_pool: 'gpu' })
    assert.deepEqual(await lacking(type, type), {
      lacks: [],
      unseen: [
        {
          message:
            'the token may not see the variables longhaul/secrets/key, longhaul/secrets/other-v2',
          remedy:
            'look with one whose policy has: namespace "default" { variables { path "longhaul/secrets/key" { capabilities = ["read"] } path "longhaul/secrets/other-v2" { capabilities = ["read"] } } }',
        },
        {
          message: 'the token may not see the node pool gpu',
          remedy: 'look with one whose policy has: node_pool "gpu" { policy = "read" }',
        },
        {
          message: 'the token may not see the driver docker',
          remedy: 'look with one whose policy has: node { policy = "read" }',
        },
      ],
    })
  })

  it('is what may be seen where some of it may not', async () => {
    nomad.on('GET /v1/var/longhaul/secrets/key', { status: 403, body: 'Permission denied' })
    const { lacks, unseen } = await lacking(typeOf({ image: 'i', secrets: ['key', 'other'] }))
    assert.deepEqual(
      lacks.map(({ message }) => message),
      ['Nomad has no variable longhaul/secrets/other-v2'],
    )
    assert.deepEqual(
      unseen.map(({ message }) => message),
      ['the token may not see the variable longhaul/secrets/key'],
    )
  })

  it('is no driver where no node is ready, which is another trouble', async () => {
    nomad.on('GET /v1/nodes', { body: [node('exec', { Status: 'down' })] })
    assert.deepEqual(await lacking(typeOf({ image: 'i' })), {
      lacks: [],
      unseen: [
        {
          message: 'no node is ready that could have the driver docker',
          remedy: 'nomad node status',
        },
      ],
    })
  })

  it('is nothing of what cannot be read, which is refused elsewhere', async () => {
    const found = await lacking(typeOf({ image: 'i', secrets: ['odd'] }))
    assert.deepEqual(found, { lacks: [], unseen: [] })
  })

  it('is not known where Nomad does not answer', async () => {
    nomad.on('GET /v1/var/longhaul/secrets/key', { status: 500, body: 'No cluster leader' })
    await assert.rejects(lacking(typeOf({ image: 'i', secrets: ['key'] })), Unavailable)
  })
})
