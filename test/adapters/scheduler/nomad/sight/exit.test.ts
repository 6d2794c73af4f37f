import assert from 'node:assert/strict'
import { exitOf, isOver } from '../../../../../adapters/scheduler/nomad/sight/exit.ts'
import type {
  AllocationView,
  EvaluationView,
  JobView,
  TaskEventView,
} from '../../../../../adapters/scheduler/nomad/views.ts'

const at = '2026-01-01T00:00:50.000Z'
const atNs = Date.parse(at) * 1_000_000

type Events = readonly TaskEventView[]

const started: TaskEventView = { Type: 'Started' }
const notRestarting: TaskEventView = { Type: 'Not Restarting', FailsTask: true }
const killing = (DisplayMessage = 'Sent interrupt. Waiting 5s before force killing') => ({
  Type: 'Killing',
  DisplayMessage,
})
const killed = { Type: 'Killed' }
const terminated = (code: number, more: Readonly<Record<string, string>> = {}) => ({
  Type: 'Terminated',
  Time: atNs,
  Details: { exit_code: String(code), signal: '0', oom_killed: 'false', ...more },
})
const driverFailure = (driver_error: string): Events => [
  { Type: 'Driver Failure', Details: { driver_error }, DisplayMessage: driver_error },
  notRestarting,
]

interface Told {
  readonly events?: Events
  readonly client?: string
  readonly clientWord?: string
  readonly desired?: string
  readonly word?: string
  readonly preemptedBy?: string
  /** The job's, or what an evaluation was triggered by. */
  readonly job?: Partial<JobView>
  readonly evaluation?: string
  readonly noTask?: true
}

const allocationOf = (told: Told): AllocationView => ({
  ID: 'a1',
  JobID: 'lh-t-1',
  CreateIndex: 1,
  ModifyIndex: 2,
  ModifyTime: atNs,
  DesiredStatus: told.desired ?? 'run',
  DesiredDescription: told.word ?? '',
  ClientStatus: told.client ?? 'failed',
  ClientDescription: told.clientWord ?? '',
  PreemptedByAllocation: told.preemptedBy ?? '',
  TaskStates:
    told.noTask === true
      ? null
      : { main: { State: 'dead', StartedAt: null, FinishedAt: at, Events: told.events ?? [] } },
})

const ended = (told: Told) => {
  const evaluations: EvaluationView[] =
    told.evaluation === undefined
      ? []
      : [
          {
            ID: 'e1',
            JobID: 'lh-t-1',
            CreateIndex: 1,
            ModifyIndex: 1,
            Status: 'complete',
            TriggeredBy: told.evaluation,
          },
        ]
  const job = { ID: 'lh-t-1', CreateIndex: 1, ModifyIndex: 1, ...told.job }
  return exitOf(allocationOf(told), { job, evaluations })
}

const stopped = { desired: 'stop', client: 'complete' } as const
const lost = 'alloc is lost since its node is down'
const byJob = 'alloc not needed due to job update'
const migrated = 'alloc is being migrated'
const overtime = 'allocation exceeded max_run_duration'

/** What an allocation says, and what that is: reason, code, signal, and whether it was stopped. */
type Row = readonly [
  what: string,
  told: Told,
  reason: string,
  code?: number | undefined,
  signal?: string | undefined,
  stopped?: boolean,
]

const EXITS: readonly Row[] = [
  ['an exit with 0', { client: 'complete', events: [started, terminated(0)] }, 'completed', 0],
  ['an exit with 3', { events: [started, terminated(3), notRestarting] }, 'failed', 3],
  [
    'a signal under raw_exec or exec',
    { events: [started, terminated(137, { signal: '9' }), notRestarting] },
    'killed',
    137,
    'SIGKILL',
  ],
  [
    'a signal that is told without its code',
    { events: [started, terminated(0, { signal: '11' }), notRestarting] },
    'killed',
    0,
    'SIGSEGV',
  ],
  [
    'a signal under docker, which never tells it',
    {
      events: [
        started,
        terminated(143, { exit_message: 'Docker container exited with non-zero exit code: 143' }),
        notRestarting,
      ],
    },
    'killed',
    143,
    'SIGTERM',
  ],
  [
    'memory that ran out, under docker',
    {
      events: [
        started,
        terminated(137, { oom_killed: 'true', exit_message: 'OOM Killed' }),
        notRestarting,
      ],
    },
    'oom',
    137,
    'SIGKILL',
  ],
  [
    'memory that ran out in a child, with its program ending with 0',
    {
      events: [
        started,
        terminated(0, { oom_killed: 'true', exit_message: 'OOM Killed' }),
        notRestarting,
      ],
    },
    'oom',
    0,
  ],
  [
    'memory that ran out under raw_exec, which looks like any kill',
    { events: [started, terminated(137, { signal: '9' }), notRestarting] },
    'killed',
    137,
    'SIGKILL',
  ],
  [
    'an older event without details',
    { events: [started, { Type: 'Terminated', ExitCode: 5, Signal: 0, Message: '' }] },
    'failed',
    5,
  ],
  [
    'an image that cannot be pulled',
    { events: driverFailure('Failed to pull `r/i:1`: API error (404): manifest unknown') },
    'image-unavailable',
  ],
  [
    'an image that podman cannot pull',
    {
      events: driverFailure(
        'rpc error: code = Unknown desc = failed to create image: r/i:1: failed to start task, unable to pull image r/i:1 : cannot pull image, status code: 403',
      ),
    },
    'image-unavailable',
  ],
  [
    'credentials of a registry that cannot be read',
    { events: driverFailure('Failed to find docker auth for repo "r/i": no such file') },
    'image-unavailable',
  ],
  [
    'a command that is not there, under docker',
    {
      events: driverFailure(
        'Failed to start container 7a: API error (400): OCI runtime create failed: exec: "/nope": stat /nope: no such file or directory',
      ),
    },
    'start-failed',
  ],
  [
    'a command that is not there, under raw_exec',
    {
      events: driverFailure(
        'failed to launch command with executor: rpc error: code = Unknown desc = file /nope not found under path /',
      ),
    },
    'start-failed',
  ],
  [
    'a command that is not there, under podman',
    {
      events: driverFailure(
        'rpc error: code = Unknown desc = failed to start task, could not start container: cannot start container, status code: 500: {"cause":"no such file or directory"}',
      ),
    },
    'start-failed',
  ],
  [
    'a network that podman does not have',
    { events: driverFailure('network "back" not found, verify with: podman network ls') },
    'rejected',
  ],
  [
    'a container that cannot be made',
    {
      events: driverFailure(
        'failed to start task, could not create container: cannot create container, status code: 500',
      ),
    },
    'rejected',
  ],
  [
    'a mount that the node does not allow',
    {
      events: driverFailure(
        'Failed to create container configuration for image "i" ("sha256:1"): volumes are not enabled; cannot mount host path: "/x:/x"',
      ),
    },
    'rejected',
  ],
  ['a driver that is switched off', { events: driverFailure('raw_exec is disabled') }, 'rejected'],
  [
    'a user that a node does not allow',
    { events: driverFailure('running as "root" user is not allowed') },
    'rejected',
  ],
  [
    'an engine that is away',
    {
      events: driverFailure(
        'Failed to create docker client: Cannot connect to the Docker daemon at unix:///var/run/docker.sock',
      ),
    },
    'interrupted',
  ],
  ...[
    'Failed to pull `r/i:1`: API error (500): Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
    'Failed to pull `r/i:1`: net/http: request canceled (Client.Timeout exceeded while awaiting headers)',
    'Failed to pull `r/i:1`: failed to register layer: no space left on device',
    'Failed to pull `r/i:1`: Cannot connect to the Docker daemon at unix:///var/run/docker.sock',
    'Failed to pull `r/i:1`: API error (500): toomanyrequests: You have reached your pull rate limit',
    'Failed to start container 7a: Cannot connect to the Docker daemon at unix:///var/run/docker.sock',
    'rpc error: code = Unknown desc = failed to create image: r/i:1: unable to pull image r/i:1 : Get "https://r/v2/": dial tcp 10.0.0.1:443: i/o timeout',
  ].map((said): Row => [`not its doing: ${said}`, { events: driverFailure(said) }, 'interrupted']),
  [
    'a command whose name is that of a trouble',
    {
      events: driverFailure(
        'Failed to start container 7a: API error (400): OCI runtime create failed: exec: "timeout": executable file not found in $PATH',
      ),
    },
    'start-failed',
  ],
  ['a failure of a driver of no known kind', { events: driverFailure('odd') }, 'start-failed'],
  [
    'an artifact that cannot be had',
    {
      events: [
        { Type: 'Downloading Artifacts' },
        {
          Type: 'Failed Artifact Download',
          DownloadError: '404',
          Details: { download_error: '404' },
        },
        notRestarting,
      ],
    },
    'start-failed',
  ],
  [
    'a template that cannot be rendered',
    {
      events: [
        { Type: 'Killing', FailsTask: true, DisplayMessage: 'Template failed: no access' },
        killed,
      ],
    },
    'start-failed',
  ],
  [
    'a hook of the node that failed',
    { events: [{ Type: 'Task hook failed', Message: 'logmon: no space' }, notRestarting] },
    'interrupted',
  ],
  [
    "a failure in the allocation's own setup",
    {
      events: [
        {
          Type: 'Setup Failure',
          DisplayMessage: 'failed to setup alloc: pre-run hook "network" failed',
          KillReason: 'Failed Restoring Task',
          FailsTask: true,
        },
      ],
    },
    'interrupted',
  ],
  [
    'a client that refuses the allocation',
    { noTask: true, clientWord: 'Unable to add allocation due to error: no space' },
    'interrupted',
  ],
  [
    'a configuration that the driver does not know',
    {
      events: [
        { Type: 'Failed Validation', ValidationError: 'no key "x"', Details: {} },
        notRestarting,
      ],
    },
    'rejected',
  ],
  [
    'a docker daemon that was restarted, with the code 0 beside it',
    {
      events: [started, terminated(0, { exit_message: 'unexpected EOF' }), notRestarting],
    },
    'interrupted',
  ],
  ['a driver that could not wait for it', { events: [started, notRestarting] }, 'interrupted'],
  [
    'an executor that died',
    {
      events: [
        started,
        terminated(-1, { exit_message: 'executor: error waiting on process: EOF' }),
        notRestarting,
      ],
    },
    'interrupted',
  ],
  [
    'a job that was deregistered, whose program then ended with 0',
    {
      ...stopped,
      word: byJob,
      job: { Stop: true },
      events: [started, killing(), terminated(0), killed],
    },
    'removed',
    0,
    undefined,
    true,
  ],
  [
    'a job that was deregistered, whose program had to be killed',
    {
      ...stopped,
      word: byJob,
      job: { Stop: true },
      events: [started, killing(), terminated(137, { signal: '9' }), killed],
    },
    'removed',
    137,
    'SIGKILL',
    true,
  ],
  [
    'a job that was purged, which its evaluation tells',
    {
      ...stopped,
      word: byJob,
      evaluation: 'job-deregister',
      events: [started, killing(), terminated(130, { signal: '2' }), killed],
    },
    'removed',
    130,
    'SIGINT',
    true,
  ],
  [
    'a job that was deregistered before its program was started',
    { ...stopped, word: byJob, job: { Stop: true }, events: [killing(), killed] },
    'removed',
    undefined,
    undefined,
    true,
  ],
  [
    'a job that somebody registered anew',
    {
      ...stopped,
      word: 'alloc is being updated due to job update',
      events: [started, killing(), killed],
    },
    'removed',
  ],
  [
    'a run of too long, by the word of its client',
    {
      client: 'complete',
      clientWord: overtime,
      events: [started, killing(overtime), terminated(137, { signal: '9' }), killed],
    },
    'attempt-timeout',
    137,
    'SIGKILL',
  ],
  [
    'a run of too long, whose program then ended with 0',
    { client: 'complete', events: [started, killing(overtime), terminated(0), killed] },
    'attempt-timeout',
    0,
  ],
  [
    'a drain',
    {
      ...stopped,
      word: migrated,
      evaluation: 'node-drain',
      events: [started, killing(), terminated(143, { signal: '15' }), killed],
    },
    'interrupted',
    143,
    'SIGTERM',
  ],
  [
    'a drain of an older server',
    {
      ...stopped,
      word: 'alloc not needed as node is tainted',
      events: [started, killing(), terminated(0), killed],
    },
    'interrupted',
    0,
  ],
  [
    'an operator who stops the allocation',
    {
      ...stopped,
      word: migrated,
      evaluation: 'alloc-stop',
      events: [started, killing(), terminated(0), killed],
    },
    'removed',
    0,
  ],
  [
    'an operator who stops the allocation and would have it placed anew by its policy',
    {
      ...stopped,
      word: 'alloc was rescheduled because it failed',
      evaluation: 'alloc-stop',
      events: [started, killing(), terminated(0), killed],
    },
    'removed',
    0,
  ],
  [
    'a node that is down',
    { desired: 'stop', client: 'lost', word: lost, events: [started] },
    'node-lost',
  ],
  [
    'a node that was down and whose client has killed it since, with a code that means nothing',
    {
      ...stopped,
      word: lost,
      events: [
        started,
        killing(),
        terminated(0, { exit_message: 'executor: error waiting on process: canceled' }),
        killed,
      ],
    },
    'node-lost',
  ],
  [
    'a preemption',
    {
      desired: 'evict',
      client: 'complete',
      word: 'Preempted by alloc ID a7',
      preemptedBy: 'a7',
      events: [started, killing(), terminated(0), killed],
    },
    'preempted',
    0,
  ],
  [
    'a kill that nobody explains',
    { client: 'complete', events: [started, killing('odd'), terminated(143), killed] },
    'interrupted',
    143,
    'SIGTERM',
  ],
  ['nothing at all', { client: 'complete' }, 'lost'],
  ['nothing at all, not even of a task', { client: 'complete', noTask: true }, 'lost'],
]

describe('a Nomad allocation that is over', () => {
  for (const [what, told, reason, code, signal, wasStopped = false] of EXITS) {
    it(`tells ${what} as ${reason}`, () => {
      assert.equal(isOver(allocationOf(told)), true)
      const found = ended(told)
      assert.deepEqual(
        [found.exit.reason, found.exit.code, found.exit.signal, found.stopped],
        [reason, code, signal, wasStopped],
      )
      assert.equal(found.exit.at?.toISOString(), at)
    })
  }

  it('has ended by itself where it ended before it was killed, whatever was wanted of it since', () => {
    const since: readonly Told[] = [
      { ...stopped, word: byJob, job: { Stop: true } },
      { ...stopped, word: migrated },
      { ...stopped, word: lost },
      { desired: 'evict', client: 'complete', preemptedBy: 'a7' },
    ]
    for (const told of since) {
      const { exit, stopped: was } = ended({ ...told, events: [started, terminated(0)] })
      assert.deepEqual([exit.reason, exit.code, was], ['completed', 0, false])
    }
  })

  it('is a success only where a Terminated event says 0 and nobody killed it', () => {
    const everything = EXITS.filter(([, told]) => ended(told).exit.reason === 'completed')
    assert.deepEqual(
      everything.map(([what]) => what),
      ['an exit with 0'],
    )
  })

  it('goes by the last run where it has had several in one allocation', () => {
    const events = [started, killing(), terminated(143), started, terminated(0)]
    assert.equal(ended({ client: 'complete', events }).exit.reason, 'completed')
  })

  it("tells the scheduler's own word", () => {
    const words = (told: Told) => ended(told).exit.message
    assert.equal(words({ events: driverFailure('no such thing') }), 'no such thing')
    assert.equal(words({ ...stopped, word: lost, events: [started] }), lost)
    assert.equal(words({ events: [started, terminated(1, { exit_message: 'odd' })] }), 'odd')
    assert.equal(words({ events: [started, terminated(1)] }), undefined)
  })
})

describe('a Nomad allocation that is not over', () => {
  it('is pending, running or unknown, whatever is wanted of it', () => {
    for (const client of ['pending', 'running', 'unknown']) {
      for (const desired of ['run', 'stop', 'evict']) {
        assert.equal(isOver(allocationOf({ client, desired })), false)
      }
    }
  })
})
