import assert from 'node:assert/strict'
import { unitsOf } from '../../../../adapters/scheduler/swarm/observe.ts'
import { sightOf } from '../../../../adapters/scheduler/swarm/sight.ts'
import { exitOf } from '../../../../adapters/scheduler/swarm/task-exit.ts'
import type { NodeView, TaskView } from '../../../../adapters/scheduler/swarm/views.ts'
import { unitLabelsOf } from '../../../../adapters/scheduler/swarm/labels.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

const now = new Date('2026-01-01T00:01:00Z')
const at = '2026-01-01T00:00:50Z'
const unit = unitNamed('lh-t-1')

interface Told {
  readonly state: string
  readonly message?: string
  readonly err?: string
  /** The exit code beside it; absent: no ContainerStatus at all. */
  readonly code?: number
  readonly desired?: string
  readonly node?: string
}

const taskOf = ({
  state,
  message,
  err,
  code,
  desired = 'shutdown',
  node = 'n1',
}: Told): TaskView => ({
  ID: 't1',
  CreatedAt: '2026-01-01T00:00:00Z',
  ServiceID: 's1',
  NodeID: node,
  DesiredState: desired,
  Status: {
    State: state,
    Timestamp: at,
    ...(message !== undefined && { Message: message }),
    ...(err !== undefined && { Err: err }),
    ...(code !== undefined && { ContainerStatus: { ContainerID: 'c', ExitCode: code } }),
  },
  Spec: { ContainerSpec: { Labels: unitLabelsOf(unit), StopGracePeriod: 10e9 } },
})

const nodeOf = (state: string): NodeView => ({
  ID: 'n1',
  UpdatedAt: '2026-01-01T00:00:40Z',
  Description: { Hostname: 'worker-1' },
  Status: { State: state },
})

const enforcer = {
  state: 'rejected',
  message: 'task rejected by constraint enforcer',
  err: 'assigned node no longer meets constraints',
}

/** What a task that is over says, and what that is. Code: [code, signal]. */
const EXITS: readonly (readonly [
  what: string,
  told: Told,
  reason: string,
  code?: number,
  signal?: string,
])[] = [
  ['an exit with 0', { state: 'complete', message: 'finished', code: 0 }, 'completed', 0],
  [
    'an exit seen before the desired state has followed',
    {
      state: 'failed',
      message: 'started',
      err: 'task: non-zero exit (1)',
      code: 1,
      desired: 'running',
    },
    'failed',
    1,
  ],
  [
    'a non-zero exit',
    { state: 'failed', message: 'started', err: 'task: non-zero exit (3)', code: 3 },
    'failed',
    3,
  ],
  [
    'a program that a shell did not find',
    { state: 'failed', message: 'started', err: 'task: non-zero exit (127)', code: 127 },
    'failed',
    127,
  ],
  [
    '255',
    { state: 'failed', message: 'started', err: 'task: non-zero exit (255)', code: 255 },
    'failed',
    255,
  ],
  [
    'an OOM kill, which looks like any kill',
    { state: 'failed', message: 'started', err: 'task: non-zero exit (137)', code: 137 },
    'killed',
    137,
    'SIGKILL',
  ],
  [
    'a SIGTERM',
    { state: 'failed', message: 'started', err: 'task: non-zero exit (143)', code: 143 },
    'killed',
    143,
    'SIGTERM',
  ],
  [
    'a failed health check before it was healthy',
    {
      state: 'failed',
      message: 'starting',
      err: 'task: non-zero exit (137): dockerexec: unhealthy container',
      code: 137,
    },
    'start-failed',
    137,
  ],
  [
    'a failed health check later',
    {
      state: 'failed',
      message: 'started',
      err: 'task: non-zero exit (137): dockerexec: unhealthy container',
      code: 137,
    },
    'failed',
    137,
  ],
  [
    'an exit before it was healthy',
    { state: 'failed', message: 'starting', err: 'task: non-zero exit (4)', code: 4 },
    'failed',
    4,
  ],
  [
    'a missing command',
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nope": executable file not found in $PATH: no such file or directory: unknown',
      code: 127,
    },
    'start-failed',
    127,
  ],
  [
    'a missing command on engine 29',
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: failed to create task for container: exec: "nope": no such file or directory',
      code: 127,
    },
    'start-failed',
    127,
  ],
  [
    'a command that is no executable',
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: exec: "/etc": permission denied',
      code: 126,
    },
    'start-failed',
    126,
  ],
  [
    'a user that is not there',
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: unable to find user x: no matching entries in passwd file',
      code: 128,
    },
    'start-failed',
    128,
  ],
  [
    'a shim that the node could not start',
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: failed to start shim: fork/exec: resource temporarily unavailable',
      code: 128,
    },
    'interrupted',
  ],
  [
    'a bind source found missing at start',
    {
      state: 'failed',
      message: 'starting',
      err: 'invalid bind mount source, source path not found: /x',
      code: 0,
    },
    'start-failed',
  ],
  [
    'a graceful restart of dockerd, with its stale code 0',
    { state: 'failed', message: 'started', err: 'No such container: lh-t-1.1.t1', code: 0 },
    'interrupted',
  ],
  [
    'a node that was down or drained, with its stale code',
    { state: 'shutdown', message: 'shutdown', code: 137 },
    'interrupted',
  ],
  [
    'a node that was down, with the code 0',
    { state: 'shutdown', message: 'shutdown', code: 0 },
    'interrupted',
  ],
  [
    'a removed node',
    { state: 'orphaned', message: 'Task belonged to a node that has been deleted' },
    'node-lost',
  ],
  ['24 hours without its node', { state: 'orphaned', message: 'started', code: 0 }, 'node-lost'],
  [
    'a missing image',
    { state: 'rejected', message: 'preparing', err: 'No such image: nosuch/image:9', code: 0 },
    'image-unavailable',
  ],
  [
    'containerd, not found',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'failed to resolve reference "r/i:1": r/i:1: not found',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'containerd, no credentials',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'failed to resolve reference "r/i:1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'containerd, an error of the registry',
    { state: 'rejected', message: 'preparing', err: 'error from registry: denied', code: 0 },
    'image-unavailable',
  ],
  [
    'containerd, too many requests',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'failed to copy: httpReadSeeker: unexpected status: 429 Too Many Requests',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'overlay2, unknown manifest',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'manifest for r/i:1 not found: manifest unknown: manifest unknown',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'overlay2, denied',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'pull access denied for r/i, repository does not exist',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'overlay2, too many requests',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'toomanyrequests: You have reached your pull rate limit',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'overlay2, 500',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'received unexpected HTTP status: 500 Internal Server Error',
      code: 0,
    },
    'image-unavailable',
  ],
  [
    'a registry that a node cannot reach at all',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'failed to do request: Head "https://r.example/v2/i/manifests/1": dial tcp 10.0.0.1:443: connect: network is unreachable',
      code: 0,
    },
    'image-unavailable',
  ],
  ...['team/volume-tools:1', 'r.example/config', 'r:5000/memory@sha256:aa'].flatMap((image) =>
    [
      `No such image: ${image}`,
      `failed to resolve reference "${image}": ${image}: not found`,
      `manifest for ${image} not found: manifest unknown: manifest unknown`,
      `pull access denied for ${image}, repository does not exist`,
    ].map(
      (err) =>
        [
          `an image whose name is like another's fault, ${err.slice(0, 20)}… of ${image}`,
          { state: 'rejected', message: 'preparing', err, code: 0 },
          'image-unavailable',
        ] as const,
    ),
  ),
  ...[
    'create volume: failed to mount local device: no such file',
    'invalid mount config for type "volume": invalid mount path: rel',
    'network back not found',
    'could not find secret key',
    'Minimum memory limit allowed is 6MB',
  ].map(
    (err) =>
      [
        `what is not the image's fault, ${err}`,
        { state: 'rejected', message: 'preparing', err, code: 0 },
        'rejected',
      ] as const,
  ),
  [
    'a bind source that is not there',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'invalid mount config for type "bind": bind source path does not exist: /x',
      code: 0,
    },
    'rejected',
  ],
  [
    'a relative bind source',
    {
      state: 'rejected',
      message: 'resolving controller failed',
      err: 'invalid bind mount source, must be an absolute path: rel',
    },
    'rejected',
  ],
  ...[
    {
      state: 'rejected',
      message: 'preparing',
      err: 'failed to register layer: write /usr/bin/ffmpeg: no space left on device',
    },
    {
      state: 'failed',
      message: 'starting',
      err: 'starting container failed: mkdir /var/lib/docker/overlay2/x: no space left on device',
      code: 128,
    },
  ].map((status) => ['a disk of the node that is full', status, 'interrupted'] as const),
  [
    'no address left',
    {
      state: 'rejected',
      message: 'preparing',
      err: 'node is missing network attachments, ip addresses may be exhausted',
    },
    'unschedulable',
  ],
  [
    'a node that no longer meets the constraints, killed by now',
    { ...enforcer, code: 0 },
    'preempted',
  ],
  ['an unknown state', { state: 'odd' }, 'lost'],
]

describe('a Swarm task that is over', () => {
  for (const [what, told, reason, code, signal] of EXITS) {
    it(`tells ${what} as ${reason}`, () => {
      const { exit, stopped } = exitOf(taskOf(told))
      assert.deepEqual([exit.reason, exit.code, exit.signal], [reason, code, signal])
      assert.equal(stopped, false)
      assert.deepEqual(exit.at, new Date(at))
      if (told.err !== undefined) assert(exit.message?.includes(told.err))
    })
  }

  it('is a success in no other state, whatever its code', () => {
    for (const state of ['failed', 'rejected', 'shutdown', 'orphaned', 'remove', 'new-kind']) {
      for (const desired of ['running', 'shutdown', 'remove']) {
        const { exit } = exitOf(taskOf({ state, desired, code: 0 }))
        assert.notEqual(exit.reason, 'completed')
        assert.notEqual(exit.code, 0)
      }
    }
  })

  it('was stopped where its service was removed, with the code that it ended with', () => {
    const { exit, stopped } = exitOf(taskOf({ state: 'shutdown', desired: 'remove', code: 143 }))
    assert.deepEqual(
      [exit.reason, exit.code, exit.signal, stopped],
      ['removed', 143, 'SIGTERM', true],
    )
  })

  it('was not stopped where it had ended by itself before its service was removed', () => {
    for (const state of ['complete', 'failed', 'rejected']) {
      assert.equal(exitOf(taskOf({ state, desired: 'remove', code: 0 })).stopped, false)
    }
  })

  it('runs on for its grace where a node has ceased to meet its constraints', () => {
    const task = taskOf(enforcer)
    assert.deepEqual(sightOf(task, nodeOf('ready'), now), { phase: 'running' })
    const later = new Date(now.getTime() + 10_001)
    assert.equal(sightOf(task, nodeOf('ready'), later).phase, 'exited')
  })
})

describe('a Swarm task that is not over', () => {
  const phase = (told: Told, node?: string) =>
    sightOf(
      taskOf({ desired: 'running', ...told }),
      node === undefined ? undefined : nodeOf(node),
      now,
    )

  for (const state of [
    'new',
    'allocated',
    'pending',
    'assigned',
    'accepted',
    'preparing',
    'ready',
    'starting',
  ]) {
    it(`is pending while it is ${state}`, () => {
      assert.deepEqual(phase({ state, message: 'm' }, 'ready'), { phase: 'pending', message: 'm' })
    })
  }

  const WAITING = [
    'no suitable node (scheduling constraints not satisfied on 2 nodes)',
    'no suitable node (insufficient resources on 2 nodes)',
    'no suitable node (1 node not available for new tasks; unsupported platform on 1 node)',
    'no suitable node (missing plugin on 1 node)',
    'no suitable node (max replicas per node limit exceed)',
  ]
  for (const err of WAITING) {
    it(`is pending with the scheduler's word on it: ${err}`, () => {
      const told = { state: 'pending', message: 'pending task scheduling', err, node: '' }
      assert.deepEqual(phase(told), { phase: 'pending', message: err, unplaced: true })
    })
  }

  it('is pending with the error of a pull that hangs', () => {
    const err = 'dial tcp: lookup registry: i/o timeout'
    assert.deepEqual(phase({ state: 'preparing', message: 'preparing', err }, 'ready'), {
      phase: 'pending',
      message: err,
    })
  })

  it('is pending without a word where no address can be had', () => {
    assert.deepEqual(phase({ state: 'new', node: '' }), { phase: 'pending', unplaced: true })
  })

  it('runs while it is running, also while its node is drained or its service removed', () => {
    for (const desired of ['running', 'shutdown', 'remove']) {
      assert.deepEqual(phase({ state: 'running', desired }, 'ready'), { phase: 'running' })
    }
  })

  it('is unreachable on a node that is down, however far it had come', () => {
    const since = new Date('2026-01-01T00:00:40Z')
    for (const state of ['assigned', 'preparing', 'starting', 'running']) {
      for (const desired of ['running', 'shutdown', 'remove']) {
        for (const node of ['down', 'disconnected']) {
          assert.deepEqual(phase({ state, desired }, node), { phase: 'unreachable', since })
        }
      }
    }
  })

  it('goes on while the state of its node is unknown, as after every change of the leader', () => {
    assert.deepEqual(phase({ state: 'running' }, 'unknown'), { phase: 'running' })
  })

  it('is over where it was told to end before it had a node', () => {
    const seen = phase({ state: 'pending', desired: 'remove', node: '' })
    assert(seen.phase === 'exited')
    assert.deepEqual([seen.exit.reason, seen.stopped], ['removed', true])
  })

  it('keeps the end that it has come to on a node that is down since', () => {
    const seen = phase({ state: 'complete', code: 0, desired: 'shutdown' }, 'down')
    assert(seen.phase === 'exited')
    assert.equal(seen.exit.reason, 'completed')
  })
})

describe('the units of a swarm', () => {
  const service = { ID: 's1', Spec: { Name: unit.name, Labels: unitLabelsOf(unit) } }
  const nodes = new Map([['n1', nodeOf('ready')]])
  const seen = (tasks: readonly TaskView[], services = [service]) =>
    unitsOf(services, tasks, nodes, now).map(({ observation }) => observation)

  it('are pending as long as the swarm has made no task', () => {
    const [one] = seen([])
    assert.deepEqual([one?.unit, one?.phase, one?.identity], [unit.name, 'pending', unit.identity])
  })

  it('are known by their tasks when their service is gone', () => {
    const [one] = seen([taskOf({ state: 'running', desired: 'remove' })], [])
    assert.deepEqual([one?.phase, one?.node, one?.identity], ['running', 'worker-1', unit.identity])
  })

  it('are none of ours without our labels', () => {
    const other = {
      ...taskOf({ state: 'running' }),
      Spec: { ContainerSpec: { Labels: { a: 'b' } } },
    }
    assert.deepEqual(seen([other], [{ ID: 's', Spec: { Name: 'x', Labels: {} } }]), [])
  })

  it('run as long as any task of theirs does, and are seen to have had too many', () => {
    const first = taskOf({
      state: 'failed',
      message: 'started',
      err: 'task: non-zero exit (1)',
      code: 1,
    })
    const second = { ...taskOf({ state: 'running' }), ID: 't2', CreatedAt: '2026-01-01T00:00:09Z' }
    assert.deepEqual(
      seen([second, first]).map(({ phase }) => phase),
      ['running'],
    )
    const over = { ...second, Status: { State: 'complete' } }
    const [one] = unitsOf([service], [over, first], nodes, now)
    assert.equal(one?.tasks, 2)
    assert(one.observation.phase === 'exited')
    assert.equal(one.observation.exit.code, 1)
  })
})
