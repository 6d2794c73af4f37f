import assert from 'node:assert/strict'
import { examineNomad } from '../../../../../adapters/scheduler/nomad/check/open.ts'
import { Rejected } from '../../../../../src/core/errors.ts'
import type { CheckResult } from '../../../../../src/ports/scheduler-adapter.ts'
import type { SchedulerExamination } from '../../../../../src/ports/scheduler-examination.ts'
import {
  type NomadReplay,
  nomadReplay,
  type ReplayAnswer,
} from '../../../../support/nomad-replay.ts'
import { openedOn } from '../opened.ts'

const never = new AbortController().signal
const DENIED: ReplayAnswer = { status: 403, body: 'Permission denied' }
const works = { Detected: true, Healthy: true }
const READY = {
  ID: 'n1',
  Status: 'ready',
  SchedulingEligibility: 'eligible',
  Drivers: { docker: works, raw_exec: works, java: { Detected: false, Healthy: false } },
}

const release = (Version: string, VersionMetadata = ''): ReplayAnswer => ({
  body: { config: { Region: 'eu', Version: { Version, VersionMetadata } } },
})

describe('looking at a Nomad', () => {
  let replay: NomadReplay
  let examination: SchedulerExamination
  beforeEach(async () => {
    replay = await nomadReplay()
    const settings = { address: replay.address, namespace: 'jobs', tls: {} }
    examination = examineNomad({ settings, env: {} })
    replay.on('GET /v1/agent/self', release('1.11.3'))
    replay.on('GET /v1/status/leader', { body: '"10.0.0.1:4647"' })
    replay.on('GET /v1/jobs', { body: [] })
    replay.on('GET /v1/job/longhaul-doctor', { status: 404, body: 'job not found' })
    replay.on('POST /v1/job/longhaul-doctor/plan', { body: {} })
    replay.on('GET /v1/nodes', { body: [READY] })
    replay.on('GET /v1/allocations', { body: [] })
    replay.on('GET /v1/event/stream', { body: '{}\n' })
  })
  afterEach(async () => {
    await replay[Symbol.asyncDispose]()
  })
  const named = async (name: string): Promise<CheckResult> => {
    const found = (await examination.check(never)).find((result) => result.name === name)
    assert.ok(found, `nothing is said of ${name}`)
    return found
  }

  it('finds nothing to say against one that is well', async () => {
    const results = await examination.check(never)
    assert.deepEqual(
      results.map(({ name, ok, message }) => [name, ok, message]),
      [
        ['nomad', true, 'Nomad 1.11.3, region eu, namespace jobs'],
        ['nomad-leader', true, "the servers' leader is 10.0.0.1:4647"],
        ['permissions', true, 'every call gets through'],
        ['events', true, 'the event stream can be subscribed to'],
        ['nodes', true, '1 of 1 are ready and eligible: docker on 1, raw_exec on 1'],
      ],
    )
  })

  it('registers, changes and removes nothing', async () => {
    await examination.check(never)
    const others = replay.asked.filter((one) => !one.startsWith('GET '))
    assert.deepEqual(others, ['POST /v1/job/longhaul-doctor/plan?namespace=jobs'])
  })

  for (const [version, metadata, ok, says] of [
    ['1.5.9', '', false, /older than 1\.6/],
    [
      '1.6.2',
      '',
      true,
      /^[^;]*; a client that was out of reach.*#19972[^;]*; what was purged[^;]*; 1h[^;]*; a drained node.*#26961/,
    ],
    ['1.6.5', '', true, /ended is run again.*#19729.*#19972.*; a drained node/],
    ['1.6.10', '', true, /^[^;]*; what was purged[^;]*; 1h[^;]*; a drained node/],
    ['1.7.6', '', true, /#19729/],
    ['1.7.7', '', true, /^[^;]*; what was purged[^;]*; 1h[^;]*; a drained node/],
    ['1.8.1', '', true, /^[^;]*; a drained node/],
    ['1.8.20', 'ent', false, /not HTTP.*#27582/],
    ['1.8.21', 'ent', true, /Nomad 1\.8\.21\+ent/],
    ['1.10.8', 'ent', false, /#27582/],
    ['1.11.2', '', false, /#27582/],
    ['2.0.5', '', true, /^Nomad 2\.0\.5, region eu, namespace jobs$/],
  ] as const)
    it(`${ok ? 'takes' : 'refuses'} Nomad ${version} ${metadata}, and says what is to be known of it`, async () => {
      replay.on('GET /v1/agent/self', release(version, metadata))
      const result = await named('nomad')
      assert.equal(result.ok, ok)
      assert.match(result.message, says)
      assert.equal(result.remedy !== undefined, !ok)
    })

  it('names every capability that the token lacks', async () => {
    for (const call of [
      'GET /v1/agent/self',
      'GET /v1/jobs',
      'GET /v1/job/longhaul-doctor',
      'POST /v1/job/longhaul-doctor/plan',
      'GET /v1/nodes',
      'GET /v1/allocations',
    ]) {
      replay.on(call, DENIED)
    }
    const { ok, message, remedy } = await named('permissions')
    assert.equal(ok, false)
    assert.equal(
      message,
      'the token may not list-jobs, read-job, submit-job, node:read, agent:read',
    )
    assert.match(remedy ?? '', /namespace "jobs" \{ capabilities = \["list-jobs", "read-job"/)
    assert.match((await named('nodes')).remedy ?? '', /node:read/)
  })

  it('names the right to read logs, where there is something to try it on', async () => {
    const one = { ID: 'a1', JobID: 'j', TaskStates: { main: { State: 'dead' } } }
    replay.on('GET /v1/allocations', { body: [one] })
    for (const denied of [DENIED, { status: 500, body: 'rpc error: Permission denied' }]) {
      replay.on('GET /v1/client/fs/logs/a1', denied)
      assert.match((await named('permissions')).message, /^the token may not read-logs$/)
    }
    replay.on('GET /v1/client/fs/logs/a1', { status: 500, body: 'No path to node' })
    assert.ok((await named('permissions')).ok)
    replay.on('GET /v1/client/fs/logs/a1', { status: 404, body: 'not started' })
    assert.ok((await named('permissions')).ok)
  })

  it('says so where there is no such namespace', async () => {
    // As Nomad 1.6.5 was recorded (test/fixtures/nomad/register-invalid.json).
    const text = '1 error occurred:\n\t* job "x" is in nonexistent namespace "jobs"\n\n'
    replay.on('POST /v1/job/longhaul-doctor/plan', { status: 500, body: text })
    assert.equal((await named('namespace')).remedy, 'nomad namespace apply jobs')
  })

  it('says so where events are denied without a word', async () => {
    replay.on('GET /v1/event/stream', { body: '' })
    const { ok, message } = await named('events')
    assert.equal(ok, false)
    assert.match(message, /ended before its first heartbeat/)
  })

  it('says so where no node could run anything', async () => {
    const away = { ...READY, Status: 'down' }
    const drained = { ...READY, ID: 'n2', SchedulingEligibility: 'ineligible' }
    replay.on('GET /v1/nodes', { body: [away, drained] })
    const { ok, message } = await named('nodes')
    assert.deepEqual([ok, message], [false, 'of 2 nodes none is ready and eligible'])
  })

  it('says what to do where no driver of the nodes that are ready works', async () => {
    replay.on('GET /v1/nodes', { body: [{ ...READY, Drivers: {} }] })
    const { ok, message, remedy } = await named('nodes')
    assert.equal(ok, false)
    assert.equal(message, '1 of 1 are ready and eligible: none with a driver that works')
    assert.match(remedy ?? '', /nomad node status -verbose/)
  })

  it('says so where the servers have no leader, and looks no closer', async () => {
    replay.on('GET /v1/status/leader', { status: 500, body: 'No cluster leader' })
    const results = await examination.check(never)
    assert.deepEqual(
      results.map(({ name, ok }) => [name, ok]),
      [
        ['nomad', true],
        ['nomad-leader', false],
      ],
    )
  })

  for (const call of [
    'GET /v1/jobs',
    'GET /v1/job/longhaul-doctor',
    'POST /v1/job/longhaul-doctor/plan',
    'GET /v1/allocations',
  ])
    it(`says what is answered where ${call} fails, and not that every call gets through`, async () => {
      replay.on(call, { status: 500, body: 'rpc error: boom\n' })
      const results = await examination.check(never)
      assert.deepEqual(
        results.filter(({ ok }) => !ok),
        [
          {
            name: 'calls',
            ok: false,
            message: `${call}: 500 rpc error: boom`,
            remedy: 'see the log of the Nomad agent, and of whatever stands before it',
          },
        ],
      )
      assert.ok(results.every(({ name }) => name !== 'permissions'))
    })

  it('tells denials and failures apart where there are both', async () => {
    replay.on('GET /v1/jobs', DENIED)
    replay.on('GET /v1/job/longhaul-doctor', { status: 502, body: 'Bad Gateway' })
    assert.equal((await named('permissions')).message, 'the token may not list-jobs')
    const { message } = await named('calls')
    assert.equal(message, 'GET /v1/job/longhaul-doctor: 502 Bad Gateway')
  })

  it('holds nothing against a plan that is refused for its own job', async () => {
    // The namespace may not use the driver of the sample (nomad/job_endpoint_validators.go).
    const text =
      '1 error occurred:\n\t* used task driver "raw_exec" is not allowed in namespace "jobs"'
    replay.on('POST /v1/job/longhaul-doctor/plan', { status: 500, body: text })
    assert.ok((await named('permissions')).ok)
  })

  it('says what else it has found where the nodes cannot be listed', async () => {
    replay.on('GET /v1/nodes', { status: 500, body: 'rpc error' })
    const results = await examination.check(never)
    assert.deepEqual(
      results.slice(2).map(({ name, ok, message }) => [name, ok, message]),
      [
        ['calls', false, 'GET /v1/nodes: 500 rpc error'],
        ['events', true, 'the event stream can be subscribed to'],
        ['nodes', false, 'GET /v1/nodes: 500 rpc error'],
      ],
    )
  })

  it('says so where there is none', async () => {
    await replay[Symbol.asyncDispose]()
    const results = await examination.check(never)
    assert.ok(results.every(({ ok, remedy }) => !ok && remedy !== undefined))
    assert.match(results[0]?.message ?? '', /ECONNREFUSED/)
    replay = await nomadReplay()
  })

  it('is as ready as a daemon asks for by the first of it', async () => {
    await using opened = openedOn(replay.address)
    const results = await opened.scheduler.check(never)
    assert.deepEqual(
      results.map(({ name, ok }) => [name, ok]),
      [
        ['nomad', true],
        ['nomad-leader', true],
      ],
    )
  })

  it('is none at an address that cannot be one', () => {
    const env = { NOMAD_ADDR: 'nomad:4646' }
    assert.throws(() => examineNomad({ settings: { tls: {} }, env }), Rejected)
  })
})
