import assert from 'node:assert/strict'
import { jobOf } from '../../../../../adapters/scheduler/nomad/job/job.ts'
import { Unhonoured } from '../../../../../adapters/scheduler/nomad/job/unhonoured.ts'
import { atPointer, type JsonObject } from '../../../../../src/core/json.ts'
import { unitNamed } from '../../../../contract/scheduler-adapter.ts'
import { jobFor, typeOf } from './units.ts'

const GROUP = '/TaskGroups/0'
const TASK = `${GROUP}/Tasks/0`

describe('a unit as a Nomad job', () => {
  it('is a batch job with one task that is never started again, and its identity in its Meta', () => {
    const unit = unitNamed('lh-t-1')
    assert.deepEqual(jobFor('docker'), {
      ID: 'lh-t-1',
      Name: 'lh-t-1',
      Type: 'batch',
      Datacenters: ['*'],
      Meta: {
        'longhaul.installation': 'test',
        'longhaul.task-id': unit.identity.taskId,
        'longhaul.task-uid': unit.identity.taskUid,
        'longhaul.task-type': 'test',
        'longhaul.run': '1',
        'longhaul.attempt': '1',
        'longhaul.log-tail-bytes': '16384',
      },
      TaskGroups: [
        {
          Name: 'attempt',
          Count: 1,
          RestartPolicy: { Attempts: 0, Mode: 'fail', Interval: 5e9, Delay: 1e9 },
          ReschedulePolicy: { Attempts: 0, Unlimited: false },
          Disconnect: {
            LostAfter: 8760 * 3_600e9,
            Replace: false,
            Reconcile: 'keep_original',
          },
          Tasks: [
            {
              Name: 'main',
              Driver: 'docker',
              Config: { image: 'i' },
              Env: {},
              KillSignal: 'SIGTERM',
              KillTimeout: 10e9,
            },
          ],
        },
      ],
    })
  })

  it('keeps its allocation on a node that does not answer, in the words of the release', () => {
    const group = (version: string) => {
      const { Disconnect, MaxClientDisconnect } = atPointer(
        jobFor('docker', {}, { version }),
        GROUP,
      ) as JsonObject
      return { Disconnect, MaxClientDisconnect }
    }
    const Disconnect = { LostAfter: 8760 * 3_600e9, Replace: false, Reconcile: 'keep_original' }
    assert.deepEqual(group('1.8.0'), { Disconnect, MaxClientDisconnect: undefined })
    assert.deepEqual(group('2.0.5'), { Disconnect, MaxClientDisconnect: undefined })
    assert.deepEqual(group('1.7.7'), {
      Disconnect: undefined,
      MaxClientDisconnect: 8760 * 3_600e9,
    })
  })

  const refusal = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      assert(error instanceof Unhonoured, String(error))
      return error.message
    }
    return undefined
  }

  it('is refused by a release that would drop a part of it without a word', () => {
    const told = (version: string, nomad: JsonObject = {}, service: JsonObject = {}) =>
      refusal(() => jobFor('docker', service, { version, nomad }))
    assert.match(
      told('1.4.14') ?? '',
      /^x-task\.nomad\.datacenters: must be written for a Nomad older/,
    )
    assert.equal(told('1.4.14', { datacenters: ['dc1'] }), undefined)
    assert.match(told('1.2.16', { datacenters: ['dc1'] }) ?? '', /^a task type needs Nomad 1\.3\.0/)
    assert.match(
      told('1.5.17', { node_pool: 'gpu' }) ?? '',
      /^x-task\.nomad\.node_pool: needs Nomad 1\.6/,
    )
    assert.equal(
      told('1.5.17', {}, { oom_score_adj: 5 }),
      'oom_score_adj: needs Nomad 1.8.1 or newer, and this one is 1.5.17',
    )
  })

  const SETTINGS: readonly (readonly [
    key: string,
    nomad: JsonObject,
    at: string,
    expected: unknown,
  ])[] = [
    ['driver', { driver: 'podman' }, `${TASK}/Driver`, 'podman'],
    ['datacenters', { datacenters: ['a', 'b*'] }, '/Datacenters', ['a', 'b*']],
    ['node_pool', { node_pool: 'gpu' }, '/NodePool', 'gpu'],
    ['priority', { priority: 70 }, '/Priority', 70],
    ['priority', {}, '/Priority', undefined],
    [
      'constraints',
      {
        constraints: [
          { attribute: '$${meta.disk}', value: 'ssd' },
          { attribute: '$${attr.vault.version}', operator: 'is_set' },
        ],
      },
      '/Constraints',
      [
        { LTarget: '${meta.disk}', Operand: '=', RTarget: 'ssd' },
        { LTarget: '${attr.vault.version}', Operand: 'is_set' },
      ],
    ],
    ['cpu', { cpu: 500 }, `${TASK}/Resources`, { CPU: 500 }],
    ['disk', { disk: '1G' }, `${GROUP}/EphemeralDisk`, { SizeMB: 1024 }],
    ['disk', {}, `${GROUP}/EphemeralDisk`, undefined],
  ]
  for (const [key, nomad, at, expected] of SETTINGS) {
    it(`has x-task.nomad ${JSON.stringify(nomad)} at ${at.split('/').at(-1) ?? at} for ${key}`, () => {
      assert.deepEqual(atPointer(jobFor('docker', {}, { nomad }), at), expected)
    })
  }

  it('has the constraints of the file, of its platform and of Nomad’s own together', () => {
    const job = jobFor(
      'docker',
      {
        platform: 'linux/amd64',
        deploy: { placement: { constraints: ['node.labels.disk == ssd'] } },
      },
      { nomad: { constraints: [{ attribute: '$${node.class}', operator: '!=', value: 'small' }] } },
    )
    assert.deepEqual(
      (job['Constraints'] as JsonObject[]).map(({ LTarget }) => LTarget),
      ['${node.class}', '${attr.kernel.name}', '${attr.cpu.arch}', '${meta.disk}'],
    )
  })

  it('keeps its own Meta whatever labels say', () => {
    const job = jobFor('docker', {
      deploy: { labels: { 'longhaul.installation': 'mine', team: 'a' } },
    })
    assert.equal(atPointer(job, '/Meta/longhaul.installation'), 'test')
    assert.equal(atPointer(job, '/Meta/team'), 'a')
  })

  it('has a memory limit that retries have raised in the place of the written one', () => {
    const deploy = { resources: { limits: { memory: '1g' } } }
    for (const driver of ['docker', 'podman', 'exec', 'raw_exec'] as const) {
      const job = jobFor(driver, { deploy }, { unit: { memoryBytes: 2 ** 31 } })
      assert.equal(atPointer(job, `${TASK}/Resources/MemoryMB`), 2048, driver)
    }
  })

  it('runs the image that the engine has resolved, not the one that is written', () => {
    const unit = unitNamed('lh-t-1', { ...typeOf({ image: 'i' }).service, image: 'i@sha256:1' })
    assert.equal(atPointer(jobOf(unit, {}), `${TASK}/Config/image`), 'i@sha256:1')
  })

  it('is killed at once where there is no grace, for docker never comes to it without time', () => {
    const task = atPointer(jobFor('docker', { stop_grace_period: '0s' }), TASK) as JsonObject
    assert.deepEqual([task['KillSignal'], task['KillTimeout']], ['SIGKILL', 1e9])
  })
})
