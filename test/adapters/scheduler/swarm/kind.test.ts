import assert from 'node:assert/strict'
import { swarmScheduler } from '../../../../adapters/scheduler/swarm/kind.ts'
import { NOT_HONOURED } from '../../../../adapters/scheduler/swarm/warnings.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { atPointer, type JsonObject } from '../../../../src/core/json.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { freeMappingsIn, freePlaces } from '../../../support/free-mappings.ts'

const typeOf = (service: JsonObject, top: JsonObject = {}, task: JsonObject = {}) => {
  const compose = { services: { t: { image: 'i', ...service, 'x-task': task } }, ...top }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}
const warnings = (...args: Parameters<typeof typeOf>) => swarmScheduler.warnings(typeOf(...args))

describe('what Swarm cannot honour of a task type', () => {
  it('is nothing for what it honours', () => {
    const external = { external: true }
    const service = {
      command: ['a'],
      secrets: ['s'],
      networks: ['n'],
      volumes: ['v:/v'],
      deploy: { resources: { limits: { memory: '1g' } } },
    }
    const top = { secrets: { s: external }, networks: { n: external }, volumes: { v: {} } }
    assert.deepEqual(warnings(service, top), [])
  })

  for (const [key, why] of Object.entries(NOT_HONOURED)) {
    it(`is said of ${key}`, () => {
      assert.deepEqual(warnings({ [key]: 'x' }), [`${key} is not honoured by Swarm: ${why}`])
    })
  }

  it('is nothing of what asks for nothing', () => {
    const bind = { create_host_path: false, recursive: 'enabled', propagation: 'rslave' }
    const volumes = [{ type: 'bind', source: '/x', target: '/x', bind, consistency: 'cached' }]
    assert.deepEqual(warnings({ volumes }), [])
  })

  /** Every mapping of which no schema knows the keys. */
  const FULL: JsonObject = {
    environment: { A: 'b' },
    networks: { n: { aliases: ['a'], driver_opts: { o: 'p' } } },
    volumes: [
      { type: 'bind', source: '/x', target: '/x', bind: { propagation: 'rslave' } },
      { type: 'volume', source: 'v', target: '/v', volume: { nocopy: true, labels: { l: 'm' } } },
      { type: 'tmpfs', target: '/t', tmpfs: { size: '1m' } },
    ],
    deploy: {
      resources: {
        reservations: {
          generic_resources: [{ discrete_resource_spec: { kind: 'gpu', value: 1 } }],
        },
      },
      placement: { preferences: [{ spread: 'node.labels.a' }] },
      labels: { l: 'm' },
    },
    labels: { l: 'm' },
    logging: { driver: 'json-file', options: { o: 'p' } },
    extra_hosts: { h: '10.0.0.1' },
    sysctls: { s: '1' },
    ulimits: { nofile: 5 },
    credential_spec: { file: 'f' },
  }
  const mappings = freeMappingsIn(FULL)
  for (const mapping of mappings) {
    it(`is said of a key of ${mapping.place} that is not read`, () => {
      const type = typeOf(mapping.with('unread', '7654'))
      const told = swarmScheduler.warnings(type)
      const said = told.some((one) => one.includes('unread') || one.includes('no start will be'))
      const given = () => JSON.stringify(swarmScheduler.render(unitNamed('lh-t-1', type.service)))
      assert(said || given().includes('7654'), mapping.place)
    })
  }

  it('is tried with every mapping of which no schema knows the keys', () => {
    const tried = new Set(mappings.map(({ place }) => place))
    const never = [...Object.keys(NOT_HONOURED), 'deploy.resources.reservations.devices']
    const left = freePlaces().filter(
      (place) => !tried.has(place) && !never.some((key) => place.startsWith(key)),
    )
    assert.deepEqual(left, [])
  })

  const SAID: readonly (readonly [service: JsonObject, says: RegExp])[] = [
    [{ deploy: { placement: { max_replicas_per_node: 1 } } }, /^deploy\.placement\.max_replicas/],
    [{ deploy: { resources: { reservations: { devices: [] } } } }, /^deploy\.resources\.reser/],
    [{ network_mode: 'container:x' }, /^network_mode is not honoured/],
    [{ networks: ['default'] }, /^networks\.default is not honoured/],
    [{ secrets: ['s'] }, /^secrets\.s is never created/],
    [
      { secrets: [{ source: 's', mode: 440 }] },
      /^secrets\[0\]\.mode is 440, which is 0670 in octal/,
    ],
    [{ environment: { A: '{{.Node.ID}}' } }, /^the template in environment\.A is not honoured/],
    [{ security_opt: ['no-new-privileges'] }, /^security_opt: no-new-privileges needs Docker 25/],
    [{ oom_score_adj: 5 }, /^oom_score_adj needs Docker 27/],
    [
      { working_dir: 'rel' },
      /^working_dir: 'rel' must be an absolute path.*no start will be taken$/,
    ],
    [{ volumes: ['./x:/x'] }, /no start will be taken$/],
    [{ volumes: ['v:/v:rslave'] }, /^volumes\[0\]\.bind is not honoured.*no propagation$/],
    [
      { volumes: [{ type: 'bind', source: '/x', target: '/x', bind: { create_host_path: true } }] },
      /^volumes\[0\]\.bind\.create_host_path is not honoured.*make it there$/,
    ],
    [
      { volumes: [{ type: 'bind', source: '/x', target: '/x', bind: { recursive: 'readonly' } }] },
      /^volumes\[0\]\.bind\.recursive is not honoured/,
    ],
    [{ volumes: [{ target: '/x', type: {} }] }, /type.*no start will be taken$/],
    [{ volumes: [{ target: '/x', consistency: 'odd' }] }, /^volumes\[0\]\.consistency is not/],
    [{ networks: { n: { mac_address: '02:42:ac:11:65:43' } } }, /^networks\.n\.mac_address is not/],
    [{ extra_hosts: ['a:host-gateway'] }, /no start will be taken$/],
  ]
  for (const [service, says] of SAID) {
    it(`is said of ${JSON.stringify(service)}`, () => {
      assert(
        warnings(service).some((one) => says.test(one)),
        warnings(service).join('\n'),
      )
    })
  }

  it('is said of a memory limit that retries would raise and that is not there', () => {
    const rule = { when: { reason: 'oom' }, action: 'retry', resources: { memory: { factor: 2 } } }
    const task = { retry: { rules: [rule] } }
    assert.match(
      warnings({}, {}, task).join(),
      /^x-task\.retry\.rules\[0\]\.resources: there is no/,
    )
  })

  it('shows what the swarm would be given, with names in the place of ids', () => {
    const unit = unitNamed('lh-t-1', typeOf({ secrets: ['s'] }, { secrets: { s: {} } }).service)
    const at = '/TaskTemplate/ContainerSpec/Secrets/0/SecretID'
    assert.equal(atPointer(swarmScheduler.render(unit), at), '(id of s)')
  })
})
