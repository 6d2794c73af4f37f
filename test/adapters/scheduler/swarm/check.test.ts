import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { examineSwarm } from '../../../../adapters/scheduler/swarm/check-open.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { type FakeEngine, fakeEngine, json } from './fake-engine.ts'

const never = new AbortController().signal

const typeOf = (service: JsonObject, top: JsonObject = {}) => {
  const compose = { services: { t: { image: 'i', ...service, 'x-task': {} } }, ...top }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}
const named = (results: readonly CheckResult[], name: string) =>
  results.find((result) => result.name === name)

describe('looking at an engine', () => {
  const MANAGER = {
    SystemTime: '2030-01-01T00:00:00.5Z',
    Swarm: {
      LocalNodeState: 'active',
      ControlAvailable: true,
      Nodes: 3,
      Managers: 3,
      Cluster: { Spec: { Orchestration: { TaskHistoryRetentionLimit: 5 } } },
    },
  }
  let engine: FakeEngine
  let answers: Record<string, [status: number, body: unknown]>
  beforeEach(async () => {
    answers = {
      '/version': [200, { Version: '20.10.24', ApiVersion: '1.41' }],
      '/info': [200, MANAGER],
    }
    engine = await fakeEngine((request: IncomingMessage, response) => {
      const path = (request.url ?? '').split('?')[0] ?? ''
      const [status, body] = answers[`${request.method ?? ''} ${path}`] ??
        answers[path] ?? [request.method === 'GET' ? 200 : 400, []]
      json(response, status, body)
    })
  })
  afterEach(() => engine[Symbol.asyncDispose]())
  const check = () => examineSwarm({ socket: engine.socket }).check(never)

  it('finds nothing to do where all is well', async () => {
    const results = await check()
    assert.deepEqual(
      results.map(({ name, ok, remedy }) => [name, ok, remedy]),
      ['docker', 'swarm', 'swarm-history', 'permissions', 'control-socket'].map((name) => [
        name,
        true,
        undefined,
      ]),
    )
  })

  it('says what to do about an engine that is too old, no manager, or keeps no history', async () => {
    answers['/version'] = [200, { Version: '19.03', ApiVersion: '1.40' }]
    answers['/info'] = [200, { Swarm: { LocalNodeState: 'active', ControlAvailable: false } }]
    const results = await check()
    assert.match(named(results, 'docker')?.remedy ?? '', /20\.10/)
    assert.match(named(results, 'swarm')?.remedy ?? '', /on a manager/)
    assert.equal(named(results, 'permissions'), undefined)
    const { Swarm } = MANAGER
    const Cluster = { Spec: { Orchestration: { TaskHistoryRetentionLimit: 0 } } }
    answers['/info'] = [200, { Swarm: { ...Swarm, Cluster } }]
    assert.match(named(await check(), 'swarm-history')?.remedy ?? '', /--task-history-limit/)
  })

  it('names the calls that a narrowed socket does not let through', async () => {
    answers['POST /services/create'] = [403, 'Forbidden']
    answers['/nodes'] = [403, 'Forbidden']
    const found = named(await check(), 'permissions')
    assert.equal(found?.ok, false)
    assert.equal(found.message, 'refused: GET /nodes, POST /services/create')
    assert.match(found.remedy ?? '', /let these calls through/)
  })

  it('says that the managers have no quorum', async () => {
    answers['/services'] = [500, { message: 'rpc error: The swarm does not have a leader.' }]
    const found = named(await check(), 'managers')
    assert.equal(found?.ok, false)
    assert.match(found.remedy ?? '', /majority of the managers/)
  })

  it('says where the socket should be when there is none', async () => {
    const [away, control, ...rest] = await examineSwarm({ socket: '/no/such.sock' }).check(never)
    assert.equal(away?.ok, false)
    assert.match(away.remedy ?? '', /scheduler\.socket/)
    assert.deepEqual([control?.name, rest], ['control-socket', []])
  })

  it('tells its clock', async () => {
    const now = await examineSwarm({ socket: engine.socket }).now?.(never)
    assert.equal(now?.toISOString(), '2030-01-01T00:00:00.500Z')
  })

  const lacking = async (...types: ReturnType<typeof typeOf>[]) =>
    (await examineSwarm({ socket: engine.socket }).lacking?.(types, never))?.lacks ?? assert.fail()

  it('finds each secret, config and network that is not there, at its place', async () => {
    answers['/secrets'] = [200, [{ Spec: { Name: 'there' } }]]
    answers['/configs'] = [200, []]
    answers['/networks'] = [200, [{ Name: 'net', Id: 'n1' }]]
    const type = typeOf(
      {
        secrets: ['there', { source: 'key' }],
        configs: ['settings'],
        networks: { net: null, other: null, default: null },
      },
      { secrets: { key: { external: true, name: 'real-key' } } },
    )
    const found = await lacking(type)
    assert.deepEqual(
      found.map(({ path, message, remedy }) => [path.join('.'), message, remedy]),
      [
        ['secrets.1', "the swarm has no secret 'real-key'", 'docker secret create real-key FILE'],
        ['configs.0', "the swarm has no config 'settings'", 'docker config create settings FILE'],
        [
          'networks.other',
          "the swarm has no network 'other'",
          'docker network create --driver overlay other',
        ],
      ],
    )
  })

  it('asks nothing for task types that need nothing, nor for the networks of every node', async () => {
    assert.deepEqual(await lacking(typeOf({}), typeOf({ network_mode: 'host' })), [])
    assert.deepEqual(engine.asked, [])
  })

  it('is unavailable where what is there cannot be asked', async () => {
    answers['/secrets'] = [500, { message: 'context deadline exceeded' }]
    await assert.rejects(lacking(typeOf({ secrets: ['s'] })), Unavailable)
  })
})

describe('looking at a real swarm', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()

  it('finds all well, and makes nothing', async () => {
    const { socket, execRoot } = dockerd()
    const before = await dockerd().docker('service', 'ls', '-q')
    const swarm = examineSwarm({ socket, controlSocket: `${execRoot}/swarm` })
    const results = await swarm.check(never)
    assert.deepEqual(
      results.filter(({ ok, remedy }) => !ok || remedy !== undefined),
      [],
    )
    assert.equal(results.length, 5)
    assert.equal(await dockerd().docker('service', 'ls', '-q'), before)
    const skewMs = Math.abs(Date.now() - ((await swarm.now?.(never))?.getTime() ?? 0))
    assert.ok(skewMs < 60_000)
  })

  it('knows the secrets, configs and networks that are there', async () => {
    const { socket } = dockerd()
    const name = `doctor-${process.pid}`
    await dockerd().docker('network', 'create', '--driver', 'overlay', name)
    await dockerd().docker('config', 'create', name, '/etc/hostname')
    try {
      const type = typeOf({
        secrets: [name],
        configs: [name],
        networks: [name, 'bridge'],
      })
      const found = await examineSwarm({ socket }).lacking?.([type], never)
      assert.deepEqual(
        found?.lacks.map(({ path }) => path),
        [
          ['secrets', '0'],
          ['networks', '1'],
        ],
      )
    } finally {
      await dockerd().docker('config', 'rm', name)
      await dockerd().docker('network', 'rm', name)
    }
  })
})
