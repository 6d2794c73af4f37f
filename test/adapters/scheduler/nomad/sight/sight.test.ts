import assert from 'node:assert/strict'
import { metaOf } from '../../../../../adapters/scheduler/nomad/identity.ts'
import { unitOfJob } from '../../../../../adapters/scheduler/nomad/sight/sight.ts'
import type {
  AllocationView,
  EvaluationView,
  JobState,
  JobView,
  NodeView,
} from '../../../../../adapters/scheduler/nomad/views.ts'
import type { Observation } from '../../../../../src/core/unit.ts'
import { unitNamed } from '../../../../contract/scheduler-adapter.ts'
import { listedState, recording, streamedStates } from '../recordings.ts'

const now = new Date('2026-01-01T00:10:00Z')
const unit = unitNamed('lh-t-1')
const Meta = metaOf(unit)

/** The recorded jobs are not ours: they are given our identity. */
const seenOf = (state: JobState, nodes: readonly NodeView[] = []) =>
  unitOfJob(
    { ...state, job: { ...state.job, Meta } },
    new Map(nodes.map((node) => [node.ID, node])),
    now,
  )

/** Phase and, of an exit, its reason, code, signal, and whether it was stopped. */
function briefly(seen: Observation | undefined): readonly unknown[] {
  if (seen?.phase !== 'exited') return [seen?.phase]
  const { reason, code, signal } = seen.exit
  return ['exited', reason, code, signal, seen.stopped]
}

const deregistered = (state: JobState): JobState => ({
  ...state,
  job: { ...state.job, Stop: true },
})

const observed = (state: JobState) => briefly(seenOf(state)?.observation)

/** What each recording comes to, by its last reading. */
const LISTED: Readonly<Record<string, readonly unknown[]>> = {
  'exit-0': ['exited', 'completed', 0, undefined, false],
  'exit-0-short': ['exited', 'completed', 0, undefined, false],
  'exit-3': ['exited', 'failed', 3, undefined, false],
  'signal-9': ['exited', 'killed', 137, 'SIGKILL', false],
  'docker-exit-0': ['exited', 'completed', 0, undefined, false],
  'docker-exit-7': ['exited', 'failed', 7, undefined, false],
  'docker-oom': ['exited', 'oom', 137, 'SIGKILL', false],
  'docker-image-missing': ['exited', 'image-unavailable', undefined, undefined, false],
  'docker-bad-command': ['exited', 'start-failed', undefined, undefined, false],
  'start-failed-command': ['exited', 'start-failed', undefined, undefined, false],
  'stop-running': ['exited', 'removed', 0, undefined, true],
  'stop-ignores-signal': ['exited', 'removed', 137, 'SIGKILL', true],
  'alloc-stop-by-operator': ['running'],
  'drain-node': ['running'],
  'node-lost': ['running'],
  'node-lost-kept': ['exited', 'failed', 5, undefined, false],
  'unschedulable-constraint': ['pending'],
  'unschedulable-memory': ['pending'],
}

/** What is seen along the stream of each, without repeats. */
const STREAMED: Readonly<Record<string, readonly string[]>> = {
  'exit-0': ['pending', 'running', 'completed'],
  'exit-0-short': ['pending', 'completed'],
  'exit-3': ['pending', 'failed'],
  'signal-9': ['pending', 'killed'],
  'docker-exit-0': ['pending', 'running', 'completed'],
  'docker-exit-7': ['pending', 'failed'],
  'docker-oom': ['pending', 'running', 'oom'],
  'docker-image-missing': ['pending', 'image-unavailable'],
  'docker-bad-command': ['pending', 'start-failed'],
  'start-failed-command': ['pending', 'start-failed'],
  'stop-running': ['pending', 'running', 'removed'],
  'stop-ignores-signal': ['pending', 'running', 'removed'],
  // By its second allocation it runs on, until the job was deregistered.
  'alloc-stop-by-operator': ['pending', 'running', 'removed'],
  'drain-node': ['pending', 'running'],
  'node-lost': ['pending', 'running', 'unreachable', 'pending', 'running', 'node-lost'],
  'node-lost-kept': ['pending', 'running', 'unreachable', 'running', 'failed'],
  // Purged, which is told by an evaluation alone: the end of the first came all the same, that of the second had come before.
  'purge-running': ['pending', 'running', 'removed'],
  'purge-finished': ['pending', 'completed'],
  'register-twice': ['pending', 'running', 'completed'],
  'unschedulable-constraint': ['pending'],
  'unschedulable-memory': ['pending'],
}

describe('a recorded job as a unit', () => {
  for (const [name, expected] of Object.entries(LISTED)) {
    it(`is ${expected.slice(0, 2).join(' ')} by the lists of ${name}`, () => {
      assert.deepEqual(observed(listedState(recording(name))), expected)
    })
  }

  for (const [name, expected] of Object.entries(STREAMED)) {
    it(`goes ${expected.join(', ')} along the stream of ${name}`, () => {
      const words = streamedStates(recording(name)).map((state) => {
        const seen = seenOf(state)?.observation
        return seen?.phase === 'exited' ? seen.exit.reason : seen?.phase
      })
      assert.deepEqual(
        words.filter((word, i) => word !== words[i - 1]),
        expected,
      )
    })
  }

  it('is a success in no other recording than those of programs that ended with 0', () => {
    const successes = Object.keys(STREAMED).filter((name) =>
      streamedStates(recording(name)).some((state) => observed(state)[1] === 'completed'),
    )
    assert.deepEqual(successes.toSorted(), [
      'docker-exit-0',
      'exit-0',
      'exit-0-short',
      'purge-finished',
      'register-twice',
    ])
  })

  it('is to be deregistered while Nomad runs a second allocation of it', () => {
    for (const name of ['alloc-stop-by-operator', 'node-lost']) {
      const flags = streamedStates(recording(name)).map((state) => seenOf(state)?.deregister)
      assert.equal(flags[0], undefined)
      assert(flags.includes('Nomad has made another allocation of it'), name)
    }
  })

  it('is over where its allocation was taken from it only once its job is deregistered', () => {
    const ends = {
      'alloc-stop-by-operator': ['exited', 'removed', 137, 'SIGKILL', false],
      'drain-node': ['exited', 'interrupted', 137, 'SIGKILL', false],
      'node-lost': ['exited', 'node-lost', undefined, undefined, false],
    }
    for (const [name, end] of Object.entries(ends)) {
      const { allocations: seen, ...last } = listedState(recording(name))
      const allocations = seen.filter(({ ClientStatus }) => ClientStatus !== 'running')
      assert.equal(
        seenOf({ ...last, allocations })?.deregister,
        'its allocation was taken from it, and Nomad may make another',
      )
      assert.deepEqual(observed(deregistered({ ...last, allocations })), end, name)
      assert.equal(seenOf(deregistered({ ...last, allocations }))?.deregister, undefined)
    }
  })

  it('is unreachable as long as a job is not deregistered whose node was given up', () => {
    const seen = seenOf(listedState(recording('node-lost'), 0))
    assert(seen?.observation.phase === 'unreachable')
    assert.equal(seen.observation.since.toISOString(), '2026-11-24T13:25:52.126Z')
    assert.match(seen.deregister ?? '', /^its allocation was taken from it/)
  })

  it('is unreachable since its allocation became unknown', () => {
    const state = listedState(recording('node-lost-kept'), 0)
    const seen = seenOf(state)?.observation
    assert(seen?.phase === 'unreachable')
    assert.equal(seen.since.toISOString(), '2026-11-24T13:26:46.029Z')
    assert.equal(seen.node, 'c1')
    const streamed = streamedStates(recording('node-lost-kept'))
      .map((one) => seenOf(one)?.observation)
      .find((one) => one?.phase === 'unreachable')
    assert(streamed?.phase === 'unreachable')
    assert.equal(streamed.since.toISOString(), '2026-11-24T13:26:46.028Z')
  })

  it("waits with the scheduler's own word on why there is no place", () => {
    const words = ['unschedulable-constraint', 'unschedulable-memory', 'node-lost'].map((name) => {
      const state = { ...listedState(recording(name), 0), allocations: [] }
      const seen = seenOf(state)?.observation
      assert(seen?.phase === 'pending' && seen.unplaced === true)
      return seen.message
    })
    assert.deepEqual(words, [
      'no suitable node: constraint ${node.class} = nosuch does not hold on 1 node',
      'no suitable node: not enough memory on 1 node',
      'no suitable node: no node of its datacenters and its node pool is ready and eligible',
    ])
  })

  it('tells when it ended by the clock of its node, and on which', () => {
    const seen = seenOf(listedState(recording('exit-3')))?.observation
    assert(seen?.phase === 'exited')
    assert.equal(seen.exit.at?.toISOString(), '2026-11-24T13:22:42.720Z')
    assert.equal(seen.node, 'vm')
  })
})

const job = (more: Partial<JobView> = {}): JobView => ({
  ID: 'lh-t-1',
  Status: 'running',
  Stop: false,
  Meta,
  CreateIndex: 1,
  ModifyIndex: 1,
  ...more,
})

const started = { Type: 'Started' }
const alive = (id: string, more: Partial<AllocationView> = {}): AllocationView => ({
  ID: id,
  JobID: 'lh-t-1',
  NodeID: 'n1',
  NodeName: 'worker-1',
  CreateIndex: Number(id.slice(1)),
  ModifyIndex: 20,
  DesiredStatus: 'run',
  ClientStatus: 'running',
  TaskStates: { main: { State: 'running', Events: [started] } },
  ...more,
})
const over = (id: string, code: number, more: Partial<AllocationView> = {}): AllocationView =>
  alive(id, {
    ClientStatus: code === 0 ? 'complete' : 'failed',
    TaskStates: {
      main: {
        State: 'dead',
        Events: [
          started,
          { Type: 'Terminated', Details: { exit_code: String(code), signal: '0' } },
        ],
      },
    },
    ...more,
  })
const state = (allocations: readonly AllocationView[], more: Partial<JobState> = {}): JobState => ({
  job: job(),
  allocations,
  evaluations: [],
  ...more,
})

describe('a Nomad job as a unit', () => {
  it('is none of ours without our Meta', () => {
    assert.equal(
      unitOfJob({ ...state([]), job: job({ Meta: { a: 'b' } }) }, new Map(), now),
      undefined,
    )
    assert.equal(unitOfJob({ ...state([]), job: job({ Meta: null }) }, new Map(), now), undefined)
  })

  it('bears the identity and the name that it was given', () => {
    const seen = seenOf(state([alive('a1')]))
    assert.deepEqual(seen?.observation.identity, unit.identity)
    assert.equal(seen.observation.unit, unit.name)
    assert.equal(seen.logTailBytes, unit.logTailBytes)
  })

  it('waits until it is placed, by the latest word of the evaluations', () => {
    const evaluation = (index: number, more: Partial<EvaluationView>): EvaluationView => ({
      ID: `e${index}`,
      JobID: 'lh-t-1',
      CreateIndex: index,
      ModifyIndex: index,
      Status: 'complete',
      ...more,
    })
    const word = (...evaluations: EvaluationView[]) => {
      const seen = seenOf(state([], { job: job({ Status: 'pending' }), evaluations }))?.observation
      assert(seen?.phase === 'pending' && seen.unplaced === true)
      return seen.message
    }
    const failed = (placement: object) => ({ FailedTGAllocs: { attempt: placement } })
    assert.equal(word(), undefined)
    assert.equal(
      word(evaluation(1, { StatusDescription: 'maximum attempts reached (2)' })),
      'maximum attempts reached (2)',
    )
    const early = evaluation(1, failed({ DimensionExhausted: { memory: 2 } }))
    const late = evaluation(
      3,
      failed({
        ClassFiltered: { small: 1 },
        ClassExhausted: { big: 2 },
        DimensionExhausted: { cpu: 1 },
        QuotaExhausted: ['memory'],
      }),
    )
    assert.equal(
      word(late, early),
      'no suitable node: the node class small is filtered on 1 node; not enough cpu on 1 node; the node class big is full on 2 nodes; the quota is used up (memory)',
    )
    assert.equal(
      word(evaluation(1, failed({ NodesEvaluated: 3 }))),
      'no suitable node: none of 3 nodes will do',
    )
  })

  it('waits with the last word of its client until its program is started', () => {
    const events = [{ Type: 'Received' }, { Type: 'Driver', DisplayMessage: 'Downloading image' }]
    const placed = alive('a1', {
      ClientStatus: 'pending',
      TaskStates: { main: { State: 'pending', Events: events } },
    })
    assert.deepEqual(briefly(seenOf(state([placed]))?.observation), ['pending'])
    const seen = seenOf(state([placed]))?.observation
    assert(seen?.phase === 'pending')
    assert.equal(seen.message, 'Downloading image')
    assert.equal(seen.unplaced, undefined)
    const bare = alive('a1', { ClientStatus: 'pending', TaskStates: null })
    assert.deepEqual(observed(state([bare])), ['pending'])
  })

  it('runs on while it is drained or stopped, until its program has ended', () => {
    for (const DesiredStatus of ['run', 'stop', 'evict']) {
      assert.deepEqual(observed(state([alive('a1', { DesiredStatus })])), ['running'])
    }
  })

  it('runs on where it is called complete before its program has ended, as at max_run_duration', () => {
    assert.deepEqual(observed(state([alive('a1', { ClientStatus: 'complete' })])), ['running'])
  })

  it('is unreachable on a node that is down or disconnected, before its allocation is said to be', () => {
    for (const Status of ['down', 'disconnected']) {
      const node = { ID: 'n1', Status, StatusUpdatedAt: 1_767_225_600 }
      const seen = seenOf(state([alive('a1')]), [node])?.observation
      assert(seen?.phase === 'unreachable')
      assert.equal(seen.since.toISOString(), '2026-01-01T00:00:00.000Z')
    }
    const ready = { ID: 'n1', Status: 'ready' }
    assert.equal(seenOf(state([alive('a1')]), [ready])?.observation.phase, 'running')
    // Lists of nodes do not say since when.
    const seen = seenOf(state([alive('a1')]), [{ ID: 'n1', Status: 'down' }])?.observation
    assert(seen?.phase === 'unreachable')
    assert.deepEqual(seen.since, now)
  })

  it('keeps the end that it has come to on a node that is down since', () => {
    const seen = seenOf(state([over('a1', 0)]), [{ ID: 'n1', Status: 'down' }])
    assert.deepEqual(briefly(seen?.observation), ['exited', 'completed', 0, undefined, false])
  })

  it('was stopped where it was deregistered before it was placed', () => {
    const stopped = state([], { job: job({ Status: 'dead', Stop: true }) })
    assert.deepEqual(observed(stopped), ['exited', 'removed', undefined, undefined, true])
    // Its evaluation is not over: it may be placed yet.
    const waiting = state([], { job: job({ Status: 'pending', Stop: true }) })
    assert.deepEqual(observed(waiting), ['pending'])
  })

  it('is not there where it is dead and nothing is known of what became of it', () => {
    assert.equal(seenOf(state([], { job: job({ Status: 'dead' }) })), undefined)
  })

  it('was removed where it was purged and nothing is left of it', () => {
    assert.deepEqual(observed(state([], { deleted: true })), ['removed'])
  })

  it('is over only when what a purge has left of it is', () => {
    const killed = over('a1', 143, {
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc not needed due to job update',
      ClientStatus: 'complete',
      TaskStates: {
        main: {
          State: 'dead',
          Events: [
            started,
            { Type: 'Killing' },
            { Type: 'Terminated', Details: { exit_code: '143', signal: '15' } },
            { Type: 'Killed' },
          ],
        },
      },
    })
    assert.deepEqual(observed(state([alive('a1')], { deleted: true })), ['running'])
    assert.deepEqual(observed(state([killed], { deleted: true })), [
      'exited',
      'removed',
      143,
      'SIGTERM',
      true,
    ])
    assert.deepEqual(observed(state([over('a1', 0)], { deleted: true })).slice(0, 2), [
      'exited',
      'completed',
    ])
  })
})

describe('an attempt that Nomad runs a second time', () => {
  it('lives as long as any allocation of it does', () => {
    const second = alive('a9', { NodeName: 'worker-2', NodeID: 'n2' })
    const lost = alive('a1', { ClientStatus: 'lost', DesiredStatus: 'stop' })
    for (const first of [over('a1', 3), over('a1', 0), lost]) {
      const seen = seenOf(state([second, first]))
      assert.deepEqual(briefly(seen?.observation), ['running'])
      assert.equal(seen?.observation.node, 'worker-2')
      assert.equal(seen.allocation?.ID, 'a9')
      assert.equal(seen.deregister, 'Nomad has made another allocation of it')
      assert.equal(seen.observation.copy, seen.deregister)
    }
  })

  it('ends as its first allocation did, whatever the second came to', () => {
    const seen = seenOf(state([over('a9', 0), over('a1', 3)]))
    assert.deepEqual(briefly(seen?.observation), ['exited', 'failed', 3, undefined, false])
    assert.equal(seen?.allocation?.ID, 'a1')
  })

  it('is to be deregistered when it has failed, and left alone when it has succeeded', () => {
    for (const one of [over('a1', 3), over('a1', 137)]) {
      const failed = seenOf(state([one]))
      assert.equal(failed?.observation.phase, 'exited')
      assert.match(failed.deregister ?? '', /^it has failed, and Nomad may run it again/)
      assert.equal(failed.observation.copy, undefined)
      assert.equal(seenOf(deregistered(state([one])))?.deregister, undefined)
    }
    assert.equal(seenOf(state([over('a1', 0)]))?.deregister, undefined)
  })

  it('is unreachable where its first allocation is, unless the second can be reached', () => {
    const unknown = alive('a1', { ClientStatus: 'unknown', ModifyTime: 1_767_225_600e9 })
    assert.deepEqual(observed(state([over('a9', 0), unknown])), ['unreachable'])
    assert.deepEqual(observed(state([alive('a9'), unknown])), ['running'])
  })

  it('is known by an allocation that replaces another, even where that one is not known', () => {
    const replacement = { PreviousAllocation: 'a1' }
    assert.equal(
      seenOf(state([alive('a9', replacement)]))?.deregister,
      'Nomad has made another allocation of it',
    )
    assert.deepEqual(observed(state([over('a9', 0, replacement)])), [
      'exited',
      'lost',
      undefined,
      undefined,
      false,
    ])
  })

  const again = (State: string, ...events: object[]) => ({
    main: {
      State,
      Events: [started, { Type: 'Failed Restoring Task' }, started, ...(events as [])],
    },
  })

  it('is known by a second start in the same allocation', () => {
    const seen = seenOf(state([alive('a1', { TaskStates: again('running') })]))
    assert.deepEqual(briefly(seen?.observation), ['running'])
    assert.equal(seen?.deregister, 'it was run again in the same allocation')
    const restarted = { main: { State: 'running', Restarts: 1, Events: [started] } }
    const counted = seenOf(state([alive('a1', { TaskStates: restarted })]))
    assert.equal(counted?.deregister, 'it was run again in the same allocation')
    assert.equal(counted.observation.copy, counted.deregister)
    const seenAgain = seenOf({ ...state([alive('a1')]), startedAgain: new Set(['a1']) })
    assert.equal(seenAgain?.observation.copy, 'it was run again in the same allocation')
  })

  it('was interrupted where the second run was stopped because of that', () => {
    const TaskStates = again(
      'dead',
      { Type: 'Killing' },
      { Type: 'Terminated', Details: { exit_code: '0', signal: '0' } },
      { Type: 'Killed' },
    )
    const stopped = alive('a1', {
      ClientStatus: 'complete',
      DesiredStatus: 'stop',
      DesiredDescription: 'alloc not needed due to job update',
      TaskStates,
    })
    const ours = state([stopped], { job: job({ Stop: true }) })
    assert.deepEqual(observed(ours), ['exited', 'interrupted', undefined, undefined, true])
  })

  it('ends as its program did where that was over before anybody saw it', () => {
    const end = { Type: 'Terminated', Details: { exit_code: '4', signal: '0' } }
    const ended = alive('a1', { ClientStatus: 'failed', TaskStates: again('dead', end) })
    assert.deepEqual(observed(state([ended])), ['exited', 'failed', 4, undefined, false])
  })
})
