import assert from 'node:assert/strict'
import { Rejected } from '../../../../src/core/errors.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Observation, UnitSpec } from '../../../../src/core/unit.ts'
import { within } from '../../../contract/scheduler-adapter.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { LIMIT_MS, SwarmHarness, never } from './swarm-harness.ts'

describe('what a real swarm makes of a unit', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()
  let harness: SwarmHarness
  beforeEach(async () => {
    harness = await SwarmHarness.open(dockerd())
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  const output = async (unit: UnitSpec): Promise<string> => {
    await harness.adapter.start(unit, never)
    const exit = await harness.exitOf(unit)
    assert.equal(exit.reason, 'completed', JSON.stringify(exit))
    return exit.logTail ?? ''
  }
  const pending = async (unit: UnitSpec, says: RegExp): Promise<void> => {
    await within(LIMIT_MS, `${unit.name} is pending`, async () => {
      const seen = await harness.sight(unit)
      return (seen?.phase === 'pending' && says.test(seen.message ?? '')) || undefined
    })
  }

  it('names the node that it ran on', async () => {
    const unit = harness.script('exit 0')
    await harness.adapter.start(unit, never)
    const hostname = await dockerd().docker('info', '--format', '{{.Name}}')
    assert.equal((await harness.exitOf(unit)).node, hostname)
  })

  it('tells a kill for want of memory from any other, on its own node', async () => {
    const memory = { deploy: { resources: { limits: { memory: '16m' } } } }
    const hungry = harness.script('tail /dev/zero', { compose: memory })
    // No signal of its own ends process 1.
    const helped = harness.script('kill -9 $$', { compose: { init: true } })
    for (const one of [hungry, helped]) await harness.adapter.start(one, never)
    const oom = await harness.exitOf(hungry)
    assert.deepEqual([oom.reason, oom.code], ['oom', 137])
    const other = await harness.exitOf(helped)
    assert.deepEqual([other.reason, other.code, other.signal], ['killed', 137, 'SIGKILL'])
  })

  it('tells an image that no node can have', async () => {
    const unit = harness.named('lh-no-image', { image: '127.0.0.1:1/nosuch/image:9' })
    await harness.adapter.start(unit, never)
    const { reason, message } = await harness.exitOf(unit)
    assert.deepEqual(
      [reason, message],
      ['image-unavailable', 'No such image: 127.0.0.1:1/nosuch/image:9'],
    )
  })

  it('tells a folder that its node does not have as rejected', async () => {
    const unit = harness.named('lh-no-folder', { compose: { volumes: ['/no/such/folder:/x'] } })
    await harness.adapter.start(unit, never)
    assert.equal((await harness.exitOf(unit)).reason, 'rejected')
  })

  it('tells a user that its image does not have as a failed start', async () => {
    const unit = harness.named('lh-no-user', {
      command: ['true'],
      compose: { user: 'nobody-here' },
    })
    await harness.adapter.start(unit, never)
    assert.equal((await harness.exitOf(unit)).reason, 'start-failed')
  })

  it('is pending with the word of the swarm where no node will do, and can be removed', async () => {
    const constraints = ['node.labels.none == such']
    const unit = harness.named('lh-no-node', {
      compose: { deploy: { placement: { constraints } } },
    })
    await harness.adapter.start(unit, never)
    await pending(unit, /no suitable node \(scheduling constraints not satisfied on 1 node\)/)
    await harness.adapter.remove(unit.name, never)
    assert.equal(await harness.sight(unit), undefined)
  })

  it('is rejected where the swarm refuses the spec', async () => {
    const refused: readonly Partial<Service>[] = [
      { compose: { deploy: { resources: { reservations: { memory: '1m' } } } } },
      { compose: { networks: ['no-such-network'] } },
      { compose: { secrets: ['no-such-secret'] } },
      { environment: { LARGE: 'x'.repeat(1_700_000) } },
      { environment: { LARGER: 'x'.repeat(5_000_000) } },
    ]
    for (const service of refused) {
      const unit = harness.named('lh-refused', { command: ['true'], ...service })
      await assert.rejects(
        harness.adapter.start(unit, never),
        Rejected,
        JSON.stringify(service).slice(0, 99),
      )
    }
  })

  it('is given its environment and arguments as they are, whatever Swarm would make of them', async () => {
    const values = ['{{.Node.Hostname}}', '{{', '}}', '{{{{ "a" }}', '$HOME `x`', 'a=b\nc', 'ü']
    for (const [i, value] of values.entries()) {
      const unit = harness.named(`lh-literal-${i}`, {
        command: ['sh', '-c', 'printf "%s|%s" "$VALUE" "$1"; echo', 'sh', value],
        environment: { VALUE: value },
      })
      assert.equal(await output(unit), `${value}|${value}\n`)
    }
  })

  it('is given secrets, configs, folders, limits and the rest', async () => {
    const docker = (...args: readonly string[]) => dockerd().docker(...args)
    const made: string[] = []
    const make = async (kind: 'secret' | 'config', name: string) => {
      await docker(kind, 'create', name, '/etc/hostname')
      made.push(`${kind} ${name}`)
    }
    await make('secret', 'lh-key')
    await make('secret', 'lh-key-2')
    await make('config', 'lh-settings')
    await docker('network', 'create', '--driver', 'overlay', 'lh-back')
    try {
      const unit = harness.named('lh-all', {
        command: [
          'sh',
          '-c',
          [
            'stat -c "%a %u" /run/secrets/token; test -s /etc/settings && echo config',
            'ls -d /data; touch /x 2>/dev/null || echo read-only; touch /scratch/x && echo tmpfs',
            'ulimit -n; id -u; id -G; pwd; hostname; grep db /etc/hosts; cat /proc/sys/net/core/somaxconn',
            'df /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; ip addr | grep -c "inet "; grep CapEff /proc/self/status',
          ].join('; '),
        ],
        workingDir: '/tmp',
        compose: {
          secrets: [{ source: 'key', target: 'token', mode: 0o400, uid: '7' }],
          configs: [{ source: 'lh-settings', target: '/etc/settings' }],
          networks: { back: { aliases: ['me'] } },
          volumes: ['cache:/data'],
          tmpfs: '/scratch:size=1m',
          read_only: true,
          ulimits: { nofile: 77 },
          user: '7:7',
          group_add: [8],
          hostname: 'a-host',
          extra_hosts: ['db:10.1.2.3'],
          sysctls: { 'net.core.somaxconn': 99 },
          shm_size: '2m',
          cap_drop: ['ALL'],
          init: true,
          logging: { driver: 'json-file', options: { 'max-size': '1m' } },
          deploy: {
            resources: { limits: { cpus: '0.5', memory: '64m', pids: 50 } },
            labels: { team: 'video' },
          },
        },
        declared: {
          secrets: { key: { external: true, name: 'lh-key' } },
          networks: { back: { external: true, name: 'lh-back' } },
          volumes: { cache: {} },
        },
      })
      assert.deepEqual((await output(unit)).split('\n'), [
        '400 7',
        'config',
        '/data',
        'read-only',
        'tmpfs',
        '77',
        '7',
        '7 8',
        '/tmp',
        'a-host',
        '10.1.2.3\tdb',
        '99',
        '2048',
        '3',
        'CapEff:\t0000000000000000',
        '',
      ])
    } finally {
      await harness.adapter.remove('lh-all', never)
      await docker('network', 'rm', 'lh-back')
      for (const one of made) {
        const [kind = '', name = ''] = one.split(' ')
        await docker(kind, 'rm', name)
      }
      // Its container goes a moment after its task.
      const removed = () => docker('volume', 'rm', '-f', 'cache').then(Boolean, () => undefined)
      await within(LIMIT_MS, 'the volume is free', removed)
    }
  })

  it('switches a health check off that is not its own, and counts as starting until its own succeeds', async () => {
    const healthy = { test: 'test -e /tmp/well', interval: '200ms', retries: 100 }
    const unit = harness.named('lh-health', {
      command: ['sh', '-c', 'sleep 1; touch /tmp/well; sleep 1000'],
      compose: { healthcheck: healthy },
    })
    await harness.adapter.start(unit, never)
    await pending(unit, /starting/)
    await harness.until(unit, 'running')
    const ill = harness.named('lh-ill', {
      command: ['sleep', '1000'],
      compose: { healthcheck: { test: 'false', interval: '100ms', retries: 1 } },
    })
    await harness.adapter.start(ill, never)
    const exit = await harness.exitOf(ill)
    assert.equal(exit.reason, 'start-failed')
    assert.match(exit.message ?? '', /unhealthy/)
  })

  it('is told to have run too often where somebody has forced its service', async () => {
    const unit = harness.script('exit 3')
    await harness.adapter.start(unit, never)
    await harness.exitOf(unit)
    await dockerd().docker('service', 'update', '--force', '--detach', unit.name)
    await within(
      LIMIT_MS,
      'it ran twice',
      async () => (await harness.runs(unit)) === 2 || undefined,
    )
    await harness.exitOf(unit)
    assert.equal(harness.logged.filter(({ message }) => message === 'unit.duplicated').length, 1)
  })

  it('takes only so much of a long output, from its end', async () => {
    const unit = { ...harness.script('seq 1 20000'), logTailBytes: 1000 }
    await harness.adapter.start(unit, never)
    const { logTail = '' } = await harness.exitOf(unit)
    assert.equal(Buffer.byteLength(logTail), 1000)
    assert(logTail.endsWith('\n19999\n20000\n'))
    const short = { ...harness.script('seq 1 20000 | sed "s/.*/x/"'), logTailBytes: 4000 }
    await harness.adapter.start(short, never)
    assert.equal((await harness.exitOf(short)).logTail, 'x\n'.repeat(2000))
  })

  it('gives the output of a terminal', async () => {
    assert.equal(await output(harness.script('echo one', { compose: { tty: true } })), 'one\r\n')
  })

  it('tells of a task by its watch alone, from start to removal by hand', async () => {
    const given = new AbortController()
    const told: Observation[] = []
    const stream = await harness.adapter.watch(given.signal)
    const reading = (async () => {
      for await (const seen of stream) told.push(seen)
    })()
    try {
      const unit = harness.unit({ does: 'sleep' })
      await harness.adapter.start(unit, never)
      const phase = (is: (seen: Observation) => boolean) =>
        within(LIMIT_MS, 'it is told', () => Promise.resolve(told.find(is)))
      await phase((seen) => seen.phase === 'running')
      await dockerd().docker('service', 'rm', unit.name)
      const end = await phase((seen) => seen.phase === 'exited')
      assert(end.phase === 'exited')
      assert.deepEqual([end.exit.reason, end.stopped], ['removed', true])
    } finally {
      given.abort()
      await reading
    }
  })
})
