import assert from 'node:assert/strict'
import { nomadScheduler } from '../../../../adapters/scheduler/nomad/kind.ts'
import { compileTaskType } from '../../../../src/core/compose/compile.ts'
import { atPointer, type JsonObject } from '../../../../src/core/json.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

const LIMITED = { deploy: { resources: { limits: { memory: '1g' } } } }

const typeOf = (service: JsonObject, nomad: JsonObject = {}, top: JsonObject = {}) => {
  const compose = { services: { t: { ...service, 'x-task': { nomad } } }, ...top }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}
const refusals = (...args: Parameters<typeof typeOf>) =>
  nomadScheduler.refusals?.(typeOf(...args)) ?? []
const warnings = (...args: Parameters<typeof typeOf>) => nomadScheduler.warnings(typeOf(...args))

describe('what Nomad refuses of a task type', () => {
  it('is nothing for what it honours', () => {
    const service = { image: 'i', command: ['a'], secrets: ['s'], networks: ['n'], ...LIMITED }
    const external = { external: true }
    assert.deepEqual(
      refusals(service, {}, { secrets: { s: external }, networks: { n: external } }),
      [],
    )
  })

  it('is everything at once, each at its place below the service', () => {
    const service = {
      image: 'i',
      volumes: ['/h:/c', './x:/x'],
      domainname: 'd',
      deploy: { placement: { constraints: ['node.labels.a == b', 'node.role == manager'] } },
    }
    assert.deepEqual(
      refusals(service).map(({ path }) => path),
      [['volumes', '1'], ['domainname'], ['deploy', 'placement', 'constraints', '1']],
    )
  })

  it('is at the service itself where something is missing', () => {
    const [one] = refusals({ command: ['a'] })
    assert.deepEqual(one?.path, [])
    assert.match(one.message, /^`image` is missing: the driver docker runs images$/)
    assert.deepEqual(refusals({ command: ['a'] }, { driver: 'raw_exec' }), [])
  })

  it('is at x-task.nomad where that is', () => {
    const volumes = { volumes: { v: { type: 'csi' } } }
    const [one] = refusals({ image: 'i', volumes: ['v:/v'] }, volumes, { volumes: { v: {} } })
    assert.deepEqual(one?.path, ['x-task', 'nomad', 'volumes', 'v'])
    const [other] = refusals({ image: 'i' }, { driver: 'qemu' })
    assert.deepEqual(other?.path, ['x-task', 'nomad', 'driver'])
  })

  it('is a mode that is none', () => {
    const mount = { type: 'tmpfs', target: '/c', tmpfs: { mode: '9' } }
    const [one] = refusals({ image: 'i', volumes: [mount] })
    assert.match(one?.message ?? '', /^volumes\[0\]\.tmpfs\.mode: "9" is no mode/)
  })

  it('is at the key whose value a variable has made what it cannot be', () => {
    const [one] = refusals({ image: 'i', deploy: { resources: { limits: { memory: 'much' } } } })
    assert.deepEqual(one?.path, ['deploy', 'resources'])
    assert.match(one.message, /^deploy\.resources\.limits\.memory: "much" is no amount/)
  })
})

describe('what Nomad has to say of a task type', () => {
  it('is nothing where everything is said', () => {
    assert.deepEqual(warnings({ image: 'i', ...LIMITED }), [])
  })

  it('is nothing beside a refusal, which comes first', () => {
    assert.deepEqual(warnings({ image: 'i', domainname: 'd', volumes: ['/h:/c'] }), [])
  })

  const memory = (key: string, more: JsonObject = {}) => ({
    deploy: { resources: { [key]: { memory: '1g' }, ...more } },
  })
  const SAID: readonly (readonly [service: JsonObject, says: RegExp, nomad?: JsonObject])[] = [
    [{}, /^deploy\.resources\.limits\.memory is not written: Nomad holds a task to 300M$/],
    [memory('reservations'), /^deploy\.resources\.reservations\.memory is the limit as well/],
    [
      memory('limits', { reservations: { memory: '512m' } }),
      /^deploy\.resources\.reservations\.memory is passed over: under podman/,
      { driver: 'podman' },
    ],
    [
      { deploy: { resources: { limits: { memory: '1g' }, reservations: { memory: '2g' } } } },
      /^deploy\.resources\.reservations\.memory is passed over: it is more than the limit$/,
    ],
    [
      { deploy: { resources: { limits: { cpus: 4 }, reservations: { cpus: 1 } } } },
      /^deploy\.resources\.reservations\.cpus is passed over: the whole limit is reserved$/,
    ],
    [
      { deploy: { resources: { reservations: { cpus: 1 } } } },
      /^deploy\.resources\.reservations\.cpus is passed over: `x-task\.nomad\.cpu` is reserved$/,
      { cpu: 500 },
    ],
    [{ stop_grace_period: '45s' }, /^stop_grace_period: a client of Nomad cuts it at 30s/],
    [{ volumes: ['/h:/c'] }, /^volumes need `volumes \{ enabled = true \}`/],
    [{ volumes: ['v:/c'] }, /^volumes need `volumes \{ enabled = true \}`/],
    [{ volumes: ['constructor:/c'] }, /^volumes need `volumes \{ enabled = true \}`/],
    [{ pid: 'host' }, /^pid: host needs `allow_privileged = true`/],
    [{ environment: { A: '$${NOMAD_ALLOC_ID}' } }, /^environment\.A is given as it is/],
    [
      { secrets: ['s'] },
      /^secrets\.s is never created by Longhaul: its value must be in the item `value` of the variable longhaul\/secrets\/s/,
    ],
    [
      { networks: ['n'] },
      /^networks\.n is never created by Longhaul: the driver must have `real` on the nodes/,
    ],
    [
      { networks: ['e'] },
      /^networks\.e\.internal says nothing: what is external is there already$/,
    ],
    [{ secrets: ['e'] }, /^secrets\.e\.file says nothing: what is external is there already$/],
    [{ networks: ['default'] }, /^networks\.default: nothing makes one, so that the task gets/],
    [
      { command: ['x'], pull_policy: 'always' },
      /^image is passed over: the driver exec runs what is installed on the node$/,
      { driver: 'exec' },
    ],
  ]
  for (const [service, says, nomad] of SAID) {
    it(`is said of ${JSON.stringify(service)}`, () => {
      const top = {
        secrets: { s: {}, e: { external: true, file: './e' } },
        volumes: { v: {} },
        networks: { n: { driver: 'overlay', name: 'real' }, e: { external: true, internal: true } },
      }
      const told = warnings({ image: 'i', ...service }, nomad, top)
      assert.equal(told.filter((one) => says.test(one)).length, 1, told.join('\n'))
    })
  }

  it('is said of how a volume is to be made that is Nomad’s own', () => {
    const top = { volumes: { v: { driver: 'nfs', name: 'real' } } }
    const told = warnings(
      { image: 'i', volumes: ['v:/c'], ...LIMITED },
      { volumes: { v: {} } },
      top,
    )
    assert.deepEqual(told, ["volumes.v.driver says nothing: the volume is Nomad's own"])
  })

  it('is nothing of a reservation that comes to the same', () => {
    const same = { cpus: 2, memory: '1g' }
    for (const reservations of [same, { cpus: 0, memory: '512m' }]) {
      const deploy = { resources: { limits: same, reservations } }
      assert.deepEqual(warnings({ image: 'i', deploy }), [])
    }
    const deploy = { resources: { limits: same, reservations: { cpus: 0 } } }
    assert.deepEqual(warnings({ image: 'i', deploy }, { cpu: 500 }), [])
  })

  it('is nothing of volumes that are Nomad’s own, and of secrets that somebody makes', () => {
    const told = warnings(
      { image: 'i', volumes: ['v:/c'], secrets: ['s'], ...LIMITED },
      { volumes: { v: {} } },
      { volumes: { v: {} }, secrets: { s: { external: true } } },
    )
    assert.deepEqual(told, [])
  })
})

describe('what Nomad would be given', () => {
  it('is the job, as its newest release takes it', () => {
    const unit = unitNamed('lh-t-1', typeOf({ image: 'i' }).service)
    const job = nomadScheduler.render(unit)
    assert.equal(atPointer(job, '/ID'), 'lh-t-1')
    assert.equal(atPointer(job, '/TaskGroups/0/Disconnect/Replace'), false)
  })
})
