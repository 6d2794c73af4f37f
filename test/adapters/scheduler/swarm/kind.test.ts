import assert from 'node:assert/strict'
import { swarmScheduler } from '../../../../adapters/scheduler/swarm/kind.ts'
import { NOT_HONOURED } from '../../../../adapters/scheduler/swarm/warnings.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { atPointer, type JsonObject } from '../../../../src/core/json.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

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
