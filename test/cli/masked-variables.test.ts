import assert from 'node:assert/strict'
import fc from 'fast-check'
import { schedulerKinds } from '../../src/app/scheduler-kinds.ts'
import { renderMasked } from '../../src/cli/masked-variables.ts'
import { Rejected } from '../../src/core/errors.ts'
import { atPointer, type Json, type JsonObject } from '../../src/core/json.ts'
import { serviceFor } from '../../src/core/compose/unit.ts'
import { unitNamed } from '../contract/scheduler-adapter.ts'

type Env = Readonly<Record<string, string>>

/** What a scheduler would be given for this service, under this environment, as `task render` shows it. */
function shown(
  scheduler: string,
  service: JsonObject,
  env: Env,
  input: JsonObject = {},
  top: JsonObject = {},
) {
  const kind = schedulerKinds.get(scheduler)
  assert.ok(kind)
  const compose = {
    services: { t: { image: 'i', command: ['run'], 'x-task': {}, ...service } },
    ...top,
  }
  const definition = { name: 't', hash: 'h', directory: '/d', compose }
  return renderMasked(definition, env, (type) =>
    kind.render(unitNamed('lh-t-1', serviceFor(type, input))),
  )
}

const TASK = '/TaskGroups/0/Tasks/0'
const CONTAINER = '/TaskTemplate/ContainerSpec'

describe('a task type that is rendered with its variables masked', () => {
  const cases: readonly {
    readonly title: string
    readonly scheduler: string
    readonly service: JsonObject
    readonly env: Env
    readonly input?: JsonObject
    readonly at: string
    readonly is: Json
    readonly masked: readonly string[]
  }[] = [
    {
      title: 'has the name in the place of a text, as no variable of Nomad’s',
      scheduler: 'nomad',
      service: { environment: { TOKEN: 'Bearer ${TOKEN}' } },
      env: { TOKEN: 'hush' },
      at: `${TASK}/Env/TOKEN`,
      is: 'Bearer ${TOKEN}',
      masked: ['TOKEN'],
    },
    {
      title: 'has no escapes that the value has not asked for',
      scheduler: 'nomad',
      service: { environment: { TOKEN: '${TOKEN}' }, command: ['${TOKEN}'] },
      env: { TOKEN: 'hush' },
      at: TASK,
      is: {
        Name: 'main',
        Driver: 'docker',
        Config: { image: 'i', args: ['${TOKEN}'] },
        Env: { TOKEN: '${TOKEN}' },
        KillSignal: 'SIGTERM',
        KillTimeout: 10_000_000_000,
      },
      masked: ['TOKEN'],
    },
    {
      title: 'has the name where the value would have to be escaped',
      scheduler: 'nomad',
      service: { environment: { TOKEN: '${TOKEN}' } },
      env: { TOKEN: 'hu${sh}' },
      at: `${TASK}/Env/TOKEN`,
      is: '${TOKEN}',
      masked: ['TOKEN'],
    },
    {
      title: 'is calculated with a size',
      scheduler: 'nomad',
      service: { deploy: { resources: { limits: { memory: '${MEM}' } } } },
      env: { MEM: '512m' },
      at: `${TASK}/Resources/MemoryMB`,
      is: 512,
      masked: [],
    },
    {
      title: 'is calculated with a size on Swarm',
      scheduler: 'swarm',
      service: { deploy: { resources: { limits: { memory: '${MEM}' } } } },
      env: { MEM: '512m' },
      at: '/TaskTemplate/Resources/Limits/MemoryBytes',
      is: 536_870_912,
      masked: [],
    },
    {
      title: 'has the name of a size where it is a text',
      scheduler: 'nomad',
      service: {
        environment: { MEM: '${MEM}' },
        deploy: { resources: { limits: { memory: '${MEM}' } } },
      },
      env: { MEM: '512m' },
      at: `${TASK}/Env/MEM`,
      is: '${MEM}',
      masked: ['MEM'],
    },
    {
      title: 'has a path where there must be one',
      scheduler: 'nomad',
      service: { working_dir: '${W}' },
      env: { W: '/hush' },
      at: `${TASK}/Config/work_dir`,
      is: '${W}',
      masked: ['W'],
    },
    {
      title: 'has the type of mount that the value makes of it',
      scheduler: 'nomad',
      service: { volumes: ['${DIR}:/data:ro'] },
      env: { DIR: '/hush' },
      at: `${TASK}/Config/mount/0`,
      is: { type: 'bind', source: '${DIR}', target: '/data', readonly: true },
      masked: ['DIR'],
    },
    {
      title: 'has the type of mount that the value makes of it on Swarm',
      scheduler: 'swarm',
      service: { volumes: ['${DIR}:/data', '${VOLUME}:/more'] },
      env: { DIR: '/hush', VOLUME: 'hush' },
      at: `${CONTAINER}/Mounts`,
      is: [
        { Type: 'bind', Source: '${DIR}', Target: '/data' },
        { Type: 'volume', Source: '${VOLUME}', Target: '/more' },
      ],
      masked: ['DIR', 'VOLUME'],
    },
    {
      title: 'has the path of a process that is not below the file’s folder',
      scheduler: 'process',
      service: { working_dir: '${W}/x' },
      env: { W: '/hush' },
      at: '/cwd',
      is: '${W}/x',
      masked: ['W'],
    },
    {
      title: 'has a name for one of a few words that there are',
      scheduler: 'nomad',
      service: { ipc: '${IPC}' },
      env: { IPC: 'host' },
      at: `${TASK}/Config/ipc_mode`,
      is: '${IPC}',
      masked: ['IPC'],
    },
    {
      title: 'has a name for the driver, and what that driver is given',
      scheduler: 'nomad',
      service: { 'x-task': { nomad: { driver: '${DRIVER}' } } },
      env: { DRIVER: 'exec' },
      at: TASK,
      is: {
        Name: 'main',
        Driver: '${DRIVER}',
        Config: { command: 'run' },
        Env: {},
        KillSignal: 'SIGTERM',
        KillTimeout: 10_000_000_000,
      },
      masked: ['DRIVER'],
    },
    {
      title: 'has a name for what is taken apart and put together anew',
      scheduler: 'swarm',
      service: { extra_hosts: ['db:${IP}'] },
      env: { IP: '10.9.8.7' },
      at: `${CONTAINER}/Hosts/0`,
      is: '${IP} db',
      masked: ['IP'],
    },
    {
      title: 'has what the input gives by a pointer of a variable’s',
      scheduler: 'nomad',
      service: { 'x-task': { arguments: ['${FLAG}', { from: '${POINTER}' }] } },
      env: { POINTER: '/who', FLAG: '--hush' },
      input: { who: 'world' },
      at: `${TASK}/Config/args`,
      is: ['run', '${FLAG}', 'world'],
      masked: ['FLAG'],
    },
    {
      title: 'goes by a variable that is empty, and by one that is not',
      scheduler: 'process',
      service: { command: ['run', '${A:-less}', '${B:+more}', '${B:-less}'] },
      env: { A: '', B: 'hush' },
      at: '/argv',
      is: ['run', 'less', 'more', '${B}'],
      masked: ['B'],
    },
    {
      title: 'has the dollars that stand in the file',
      scheduler: 'process',
      service: { command: ['echo', '$$WHO', '$${X}', '$$$$'] },
      env: { WHO: 'hush', X: 'hush' },
      at: '/argv',
      is: ['echo', '$WHO', '${X}', '$$'],
      masked: [],
    },
    {
      title: 'has the name of what is handed on as it is',
      scheduler: 'swarm',
      service: { environment: ['A', 'B=b', 'C'] },
      env: { A: 'hush', C: '' },
      at: `${CONTAINER}/Env`,
      is: ['A=${A}', 'B=b', 'C='],
      masked: ['A'],
    },
    {
      title: 'has the name of a volume that is the key of what Nomad is to find',
      scheduler: 'nomad',
      service: {
        volumes: ['${VOL}:/data'],
        'x-task': { nomad: { driver: 'exec', volumes: { hush: {} } } },
      },
      env: { VOL: 'hush' },
      at: '/TaskGroups/0/Volumes',
      is: { '${VOL}': { Name: '${VOL}', Type: 'host', Source: '${VOL}' } },
      masked: ['VOL'],
    },
    {
      title: 'has the name of a volume that reads as a number, as it is a key',
      scheduler: 'nomad',
      service: {
        volumes: ['${VOL}:/data'],
        'x-task': { nomad: { driver: 'exec', volumes: { '4711': {} } } },
      },
      env: { VOL: '4711' },
      at: '/TaskGroups/0/Volumes',
      is: { '${VOL}': { Name: '${VOL}', Type: 'host', Source: '${VOL}' } },
      masked: ['VOL'],
    },
    {
      title: 'has the names of what is a part of a key with other letters',
      scheduler: 'nomad',
      service: {
        volumes: ['vol${A}${B}:/data'],
        'x-task': { nomad: { driver: 'exec', volumes: { volhushhush: { source: 'x' } } } },
      },
      env: { A: 'hush', B: 'hush' },
      at: '/TaskGroups/0/Volumes',
      is: { 'vol${A}${B}': { Name: 'vol${A}${B}', Type: 'host', Source: 'x' } },
      masked: ['A', 'B'],
    },
    {
      title: 'has a name for a part of one of a few words that there are',
      scheduler: 'nomad',
      service: { stop_signal: 'SIG${SIGNAL}' },
      env: { SIGNAL: 'USR1' },
      at: `${TASK}/KillSignal`,
      is: 'SIG${SIGNAL}',
      masked: ['SIGNAL'],
    },
    {
      title: 'has a name for a signal that the scheduler writes otherwise',
      scheduler: 'nomad',
      service: { stop_signal: '${SIGNAL}' },
      env: { SIGNAL: 'int' },
      at: `${TASK}/KillSignal`,
      is: 'SIG${SIGNAL}',
      masked: ['SIGNAL'],
    },
    {
      title: 'has a name where what is around a value is taken apart',
      scheduler: 'nomad',
      service: { deploy: { placement: { constraints: ['node.labels.${C}'] } } },
      env: { C: 'hush == Hush!x' },
      at: '/Constraints',
      is: [{ LTarget: '${meta.${C}}', Operand: '=', RTarget: '${C}!${C}' }],
      masked: ['C'],
    },
  ]
  for (const { title, scheduler, service, env, input, at, is, masked } of cases) {
    it(title, () => {
      const result = shown(scheduler, service, env, input)
      assert.deepEqual(atPointer(result.rendered, at), is)
      assert.deepEqual(result.masked, masked)
    })
  }

  it('shows one thing in the place of several that are made of a value', () => {
    const { rendered } = shown('process', { command: '${COMMAND}' }, { COMMAND: 'run --key hush' })
    assert.deepEqual(atPointer(rendered, '/argv'), ['${COMMAND}'])
  })

  const doubts: readonly {
    readonly title: string
    readonly scheduler?: string
    readonly service: JsonObject
    readonly env: Env
    readonly top?: JsonObject
    readonly asWords: readonly string[]
  }[] = [
    {
      title: 'a volume that Nomad itself knows',
      service: { volumes: ['${VOL}:/data'], 'x-task': { nomad: { volumes: { hush: {} } } } },
      env: { VOL: 'hush' },
      asWords: ['VOL'],
    },
    {
      title: 'a secret that is another variable of Nomad’s',
      service: {
        secrets: ['${SECRET}'],
        'x-task': { nomad: { variables: { hush: { path: 'a/b', key: 'c' } } } },
      },
      env: { SECRET: 'hush' },
      asWords: ['SECRET'],
    },
    {
      title: 'a network that has another name',
      service: { networks: ['${NETWORK}'] },
      env: { NETWORK: 'hush' },
      top: { networks: { hush: { external: true, name: 'other' } } },
      asWords: ['NETWORK'],
    },
    {
      title: 'a command of several words, and not a word beside it',
      service: { command: '${COMMAND}', environment: { TOKEN: '${TOKEN}' } },
      env: { COMMAND: 'run hush', TOKEN: 'hush' },
      asWords: ['COMMAND'],
    },
    {
      title: 'no text, key, path or name that is written in capitals',
      service: {
        environment: ['${KEY}=${TEXT}'],
        labels: ['${KEY}=${TEXT}'],
        working_dir: '${PATH}',
        stop_signal: '${SIGNAL}',
      },
      env: { KEY: 'hush', TEXT: 'hu sh', PATH: '/hush', SIGNAL: 'sigusr1' },
      asWords: [],
    },
    {
      title: 'no value that is filled in',
      service: {
        dns: '${DNS}',
        volumes: ['${VOL}:/data'],
        'x-task': { nomad: { driver: 'docker' } },
        deploy: { resources: { limits: { memory: '${MEM}' } } },
      },
      env: { DNS: '10.9.8.7', VOL: 'hush', MEM: '512m' },
      asWords: [],
    },
    {
      title: 'no path of a process',
      scheduler: 'process',
      service: { working_dir: '${W}/x', command: ['${W}/run'] },
      env: { W: '/hush' },
      asWords: [],
    },
  ]
  for (const { title, scheduler = 'nomad', service, env, top, asWords } of doubts) {
    it(`names as a plain word that may be more: ${title}`, () => {
      assert.deepEqual(shown(scheduler, service, env, {}, top).asWords, asWords)
    })
  }

  const refusal = (service: JsonObject, env: Env): string => {
    try {
      shown('nomad', service, env)
    } catch (error) {
      assert.ok(error instanceof Rejected, String(error))
      return error.message
    }
    return assert.fail('it is not refused')
  }

  it('is refused in the scheduler’s words, with the name of a value that is the reason', () => {
    const env = { DNS: 'hush', TOKEN: 'hush' }
    const service = { dns: ['${DNS}'], environment: { TOKEN: '${TOKEN}' } }
    assert.equal(refusal(service, env), "dns: '${DNS}' is no address")
  })

  it('is refused without a word of the scheduler’s where these cannot be had without the value', () => {
    const service = { dns: ['${DNS}'], stop_grace_period: '${GRACE}' }
    const message = refusal(service, { DNS: 'hush', GRACE: '5s' })
    assert.match(message, /^the scheduler refuses it; .*longhaul check/)
  })

  it('never shows a value, wherever it stands and whatever it is', () => {
    const nomadVolume = (driver: string, name: string) => ({
      nomad: { driver, volumes: { [name]: { source: 'x' } } },
    })
    const places: readonly ((use: string, value: string) => JsonObject)[] = [
      (use, value) => ({ volumes: [`${use}:/d`], 'x-task': nomadVolume('exec', value) }),
      (use, value) => ({ volumes: [`v${use}:/d`], 'x-task': nomadVolume('exec', `v${value}`) }),
      (use, value) => ({ volumes: [`${use}:/d`], 'x-task': nomadVolume('docker', value) }),
      (use) => ({ labels: { [use]: use } }),
      (use) => ({ deploy: { placement: { constraints: [`node.labels.${use}`] } } }),
      (use) => ({ environment: { A: use } }),
      (use) => ({ environment: [`A=${use}`, use] }),
      (use) => ({ environment: [use] }),
      (use) => ({ command: use }),
      (use) => ({ command: ['run', use] }),
      (use) => ({ entrypoint: `run ${use}` }),
      (use) => ({ image: `registry/${use}:1` }),
      (use) => ({ working_dir: use }),
      (use) => ({ working_dir: `/x/${use}` }),
      (use) => ({ volumes: [`${use}:/data`] }),
      (use) => ({ volumes: [use] }),
      (use) => ({ labels: [use, `a=${use}`] }),
      (use) => ({ deploy: { labels: { a: use } } }),
      (use) => ({ deploy: { placement: { constraints: [`node.labels.a == ${use}`] } } }),
      (use) => ({ deploy: { resources: { limits: { memory: use } } } }),
      (use) => ({ extra_hosts: [`a:${use}`] }),
      (use) => ({ extra_hosts: [use] }),
      (use) => ({ dns: use }),
      (use) => ({ hostname: use }),
      (use) => ({ user: use }),
      (use) => ({ ipc: use }),
      (use) => ({ platform: use }),
      (use) => ({ secrets: [use] }),
      (use) => ({ stop_signal: use }),
      (use) => ({ devices: [use] }),
      (use) => ({ ulimits: { nofile: use } }),
      (use) => ({ 'x-task': { arguments: [use] } }),
      (use) => ({ 'x-task': { nomad: { driver: use } } }),
      (use) => ({ 'x-task': { nomad: { node_pool: use } } }),
    ]
    const around = fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constantFrom('/', ' ', '=', ':', '${', '{{', '"', '--', 'a:', '/a:/b:', '\\', '$$', 'é'),
    )
    fc.assert(
      fc.property(
        fc.constantFrom('process', 'swarm', 'nomad'),
        fc.subarray([...places], { minLength: 1, maxLength: 3 }),
        around,
        around,
        (scheduler, chosen, before, after) => {
          const env = { KEY: `${before}h9u8s7h${after}` }
          const service = Object.assign(
            {},
            ...chosen.map((place) => place('${KEY}', env.KEY)),
          ) as JsonObject
          let said: string
          try {
            said = JSON.stringify(shown(scheduler, service, env))
          } catch (error) {
            assert.ok(error instanceof Rejected, String(error))
            said = error.message
          }
          assert.doesNotMatch(said, /h9u8s7h/i)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
