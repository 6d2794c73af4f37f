import assert from 'node:assert/strict'
import * as calls from '../../src/core/attempt-calls.ts'
import * as attempts from '../../src/core/attempts.ts'
import { callPauseMs } from '../../src/core/dues.ts'
import type { Policy } from '../../src/core/dues.ts'
import type { ObservedExit } from '../../src/core/exit.ts'
import { cancel, decideFailed, redrive, settle, stuck, unstick } from '../../src/core/lifecycle.ts'
import { type Action, reconcile, type Sighting } from '../../src/core/reconcile.ts'
import type { TaskRecord } from '../../src/core/task.ts'
import {
  absent,
  applied,
  at,
  confirmed,
  exited,
  latest,
  queued,
  releasedAt,
  running,
  sighting,
  starting,
  stopped,
  stopping,
  T0,
  TYPE,
  WAITS,
} from './record-of.ts'

const OK: ObservedExit = { reason: 'completed', code: 0 }
const FAILED: ObservedExit = { reason: 'failed', code: 3 }
const KILLED: ObservedExit = { reason: 'killed', code: 143, signal: 'SIGTERM' }

/** What an action comes to, in a word or two. */
function told(record: TaskRecord, action: Action): string {
  switch (action.kind) {
    case 'none':
    case 'decide':
      return action.kind
    case 'start':
    case 'stop':
    case 'look':
      return action.kind
    case 'fence':
      return `fence: ${action.exit.reason}`
    case 'record-late':
      return `late: ${action.exit.reason}`
    case 'release':
      return action.late ? 'release late' : 'release'
    case 'change': {
      const next = applied(record, action.change)
      if (next.task.outcome !== undefined && record.task.outcome === undefined) {
        return `${next.task.state}: ${next.task.outcome.exit?.reason ?? ''}`
      }
      if (next.task.stuck !== undefined) return 'stuck'
      const [changed] = action.change.attempts
      const before = record.attempts.find(({ number }) => number === changed?.number)
      if (changed?.exit && !before?.exit) return `exited: ${changed.exit.reason}`
      if (changed?.stop && !before?.stop) return `to stop: ${changed.stop.reason}`
      if (changed?.state !== before?.state) return changed?.state ?? ''
      if (changed?.unreachableSince && !before?.unreachableSince) return 'unreachable'
      if (changed?.missingSince && !before?.missingSince) return 'missing'
      if (changed?.confirmedAt && !before?.confirmedAt) return 'confirmed'
      return 'seen again'
    }
  }
}

const decidedAt = (now: Date, policy: Policy, record: TaskRecord, seen?: Sighting): string =>
  told(record, reconcile(record, policy, seen, now))

/** A list begun a second after T0; everything is asked two seconds after T0, when nothing else is due. */
const LISTED = at(1)
const NOW = at(2)

const SIGHTINGS = {
  pending: sighting({ phase: 'pending' }, LISTED),
  running: sighting({ phase: 'running' }, LISTED),
  'exited 0': sighting({ phase: 'exited', exit: OK, stopped: false }, LISTED),
  'exited 3': sighting({ phase: 'exited', exit: FAILED, stopped: false }, LISTED),
  'exited, stopped': sighting({ phase: 'exited', exit: KILLED, stopped: true }, LISTED),
  removed: sighting({ phase: 'removed' }, LISTED),
  unreachable: sighting({ phase: 'unreachable', since: T0 }, LISTED),
  absent: absent(LISTED),
  'no sighting': undefined,
} satisfies Record<string, Sighting | undefined>

const away = (listedAt?: Date) => sighting({ phase: 'unreachable', since: T0 }, listedAt)
const missing = applied(running(), attempts.seenMissing(running(), latest(running()), TYPE, T0))
const unreachable = applied(
  running(),
  attempts.seenUnreachable(running(), latest(running()), TYPE, T0),
)
const succeeded = exited(OK)
const ended = applied(
  succeeded,
  settle(succeeded, TYPE, { kind: 'succeed', rule: 'r' }, latest(succeeded).exit!, T0),
)

const lost = releasedAt(T0, exited({ reason: 'node-lost' }))
const heardOf = applied(
  lost,
  attempts.lateExitRecorded(lost, latest(lost), TYPE, { reason: 'failed', code: 3 }, T0),
)

/** Every state that a record can be in, by every way in which its unit can be seen. */
const TABLE: readonly (readonly [
  state: string,
  record: TaskRecord,
  expected: Readonly<Record<keyof typeof SIGHTINGS, string>>,
])[] = [
  [
    'queued, which has no attempt yet',
    queued(),
    {
      pending: 'stuck',
      running: 'stuck',
      'exited 0': 'stuck',
      'exited 3': 'stuck',
      'exited, stopped': 'stuck',
      removed: 'stuck',
      unreachable: 'stuck',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'starting, the call still on its way',
    starting(),
    {
      // Its start may have been cut off half way: the call's own end decides, or it is made again.
      pending: 'none',
      running: 'running',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: killed',
      removed: 'exited: removed',
      unreachable: 'unreachable',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'starting, confirmed',
    confirmed(),
    {
      pending: 'none',
      running: 'running',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: killed',
      removed: 'exited: removed',
      unreachable: 'unreachable',
      absent: 'missing',
      'no sighting': 'none',
    },
  ],
  [
    'running',
    running(),
    {
      pending: 'none',
      running: 'none',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: killed',
      removed: 'exited: removed',
      unreachable: 'unreachable',
      absent: 'missing',
      'no sighting': 'none',
    },
  ],
  [
    'running, missing from a list',
    missing,
    {
      pending: 'seen again',
      running: 'seen again',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: killed',
      removed: 'exited: removed',
      unreachable: 'unreachable',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'running, on a node that does not answer',
    unreachable,
    {
      pending: 'seen again',
      running: 'seen again',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: killed',
      removed: 'exited: removed',
      unreachable: 'none',
      absent: 'missing',
      'no sighting': 'none',
    },
  ],
  [
    'to be stopped, the scheduler not asked yet',
    stopping(),
    {
      pending: 'stop',
      running: 'stop',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: failed',
      'exited, stopped': 'exited: cancelled',
      removed: 'exited: cancelled',
      unreachable: 'unreachable',
      absent: 'stop',
      'no sighting': 'stop',
    },
  ],
  [
    'stopped by us',
    stopped(),
    {
      pending: 'none',
      running: 'none',
      'exited 0': 'exited: completed',
      'exited 3': 'exited: cancelled',
      'exited, stopped': 'exited: cancelled',
      removed: 'exited: cancelled',
      unreachable: 'unreachable',
      absent: 'exited: cancelled',
      'no sighting': 'none',
    },
  ],
  [
    'exited, undecided, its unit kept',
    exited(),
    {
      pending: 'release late',
      running: 'release late',
      'exited 0': 'none',
      'exited 3': 'none',
      'exited, stopped': 'none',
      removed: 'none',
      unreachable: 'none',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'given up as lost',
    lost,
    {
      pending: 'release late',
      running: 'release late',
      'exited 0': 'late: completed',
      'exited 3': 'late: failed',
      'exited, stopped': 'late: killed',
      removed: 'release',
      unreachable: 'none',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'given up as lost, and heard of all the same',
    heardOf,
    {
      pending: 'release late',
      running: 'release late',
      'exited 0': 'release',
      'exited 3': 'release',
      'exited, stopped': 'release',
      removed: 'release',
      unreachable: 'none',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
  [
    'ended, its unit to be released at once',
    ended,
    {
      pending: 'release late',
      running: 'release late',
      'exited 0': 'release',
      'exited 3': 'release',
      'exited, stopped': 'release',
      removed: 'release',
      unreachable: 'release',
      absent: 'release',
      'no sighting': 'release',
    },
  ],
  [
    'ended, its unit gone',
    releasedAt(T0, ended),
    {
      pending: 'release late',
      running: 'release late',
      'exited 0': 'release',
      'exited 3': 'release',
      'exited, stopped': 'release',
      removed: 'release',
      unreachable: 'none',
      absent: 'none',
      'no sighting': 'none',
    },
  ],
]

describe('reconcile, by state and sighting', () => {
  for (const [state, record, expected] of TABLE) {
    it(`knows what follows for a task that is ${state}`, () => {
      const actual = Object.fromEntries(
        Object.entries(SIGHTINGS).map(([name, seen]) => [name, decidedAt(NOW, TYPE, record, seen)]),
      )
      assert.deepEqual(actual, expected)
    })
  }

  it('takes no sighting of another task that had the id before for its own', () => {
    for (const record of [queued(), running()]) {
      const others = sighting({ phase: 'exited', exit: FAILED, stopped: false }, LISTED, 1, 'other')
      assert.equal(decidedAt(NOW, TYPE, record, others), 'none')
    }
  })

  it('writes down no second loss of what is lost', () => {
    const exit: ObservedExit = { reason: 'node-lost', message: 'orphaned' }
    const orphaned = sighting({ phase: 'exited', exit, stopped: false }, LISTED)
    assert.equal(decidedAt(NOW, TYPE, exited({ reason: 'lost' }), orphaned), 'none')
  })

  it('writes down no end of what is lost that was only removed: by the fencing, and nobody saw it', () => {
    const exit: ObservedExit = { reason: 'removed', message: 'its service was removed' }
    const removed = (observed: ObservedExit) =>
      decidedAt(NOW, TYPE, lost, sighting({ phase: 'exited', exit: observed, stopped: true }))
    assert.equal(removed(exit), 'none')
    assert.equal(removed({ ...exit, code: 143, signal: 'SIGTERM' }), 'late: removed')
  })

  it('decides nothing by what is heard late', () => {
    assert.deepEqual({ ...heardOf.task, revision: 0 }, { ...lost.task, revision: 0 })
    assert.deepEqual(latest(heardOf).exit, latest(lost).exit)
  })

  it('keeps the first truth: a later sighting does not change an exit', () => {
    const record = exited(FAILED)
    const other = sighting({ phase: 'exited', exit: OK, stopped: false }, at(60))
    assert.equal(decidedAt(NOW, TYPE, record, other), 'none')
  })
})

describe('reconcile, when a start goes wrong', () => {
  it('asks again where the call has failed, after a pause that grows to a minute', () => {
    let record = starting()
    const pauses = [1, 2, 4, 8, 16, 32, 60, 60]
    for (const [i, seconds] of pauses.entries()) {
      const failedAt = at(i * 100)
      record = applied(record, calls.callFailed(record, latest(record), TYPE, 'start', failedAt))
      assert.equal(callPauseMs(i + 1), seconds * 1000)
      assert.equal(decidedAt(at(i * 100 + seconds - 0.001), TYPE, record), 'none')
      assert.equal(decidedAt(at(i * 100 + seconds), TYPE, record), 'start')
    }
  })

  it('asks again at once for a call that an earlier leader had begun', () => {
    const action = reconcile(starting(), TYPE, undefined, at(1), at(1))
    assert.equal(action.kind, 'start')
    assert.equal(reconcile(starting(), TYPE, undefined, at(1), T0).kind, 'none')
  })

  it('is asked for again also where a list shows the half of it', () => {
    const pending = sighting({ phase: 'pending' }, at(1))
    assert.equal(reconcile(starting(), TYPE, pending, at(1), at(1)).kind, 'start')
  })

  it('asks again for a call whose end it has not heard of, once it must be over', () => {
    assert.equal(decidedAt(at(5.9), TYPE, starting()), 'none')
    assert.equal(decidedAt(at(6), TYPE, starting()), 'start')
  })

  it('never reads absence as an end before the start is confirmed', () => {
    for (const seconds of [1, 5, 5.9]) {
      assert.equal(decidedAt(at(seconds), TYPE, starting(), absent(at(seconds))), 'none')
    }
    assert.equal(decidedAt(at(600), TYPE, starting(), absent(at(600))), 'start')
  })

  it('starts nothing of a task that is stuck or to be stopped', () => {
    const isStuck = applied(starting(), stuck(starting(), TYPE, 'why', T0))
    assert.equal(decidedAt(at(60), TYPE, isStuck), 'none')
    assert.equal(decidedAt(at(60), TYPE, stopping(T0, starting())), 'stop')
  })

  it('bears the start timeout from the confirmation, not from the call', () => {
    const record = confirmed(at(100), starting(T0))
    assert.equal(decidedAt(at(129.9), TYPE, record), 'none')
    assert.equal(decidedAt(at(130), TYPE, record), 'look')
    const waits = (listedAt?: Date) => sighting({ phase: 'pending' }, listedAt)
    assert.equal(decidedAt(at(131), TYPE, record, waits(at(129))), 'look')
    assert.equal(decidedAt(at(131), TYPE, record, waits()), 'look')
    assert.equal(decidedAt(at(131), TYPE, record, waits(at(130))), 'to stop: start-timeout')
    assert.equal(decidedAt(at(131), TYPE, record, away(at(130))), 'to stop: start-timeout')
    assert.equal(decidedAt(at(130), TYPE, running(at(101), record)), 'none')
  })

  it('gives up no start that it has only not heard of, however long ago it was due', () => {
    const record = confirmed()
    const looked = applied(record, calls.looked(record, latest(record), TYPE, at(600)))
    const runs = sighting({ phase: 'running' }, at(600))
    assert.equal(decidedAt(at(600), TYPE, looked, runs), 'running')
    const over = sighting({ phase: 'exited', exit: OK, stopped: false }, at(600))
    assert.equal(decidedAt(at(600), TYPE, looked, over), 'exited: completed')
  })
})

describe('reconcile, when time is up', () => {
  it('gives up a start with the word on what it waited for', () => {
    const record = confirmed()
    const stopOf = (sight: object) => {
      const action = reconcile(
        record,
        TYPE,
        sighting({ phase: 'pending', ...sight }, at(30)),
        at(31),
      )
      return action.kind === 'change' ? action.change.attempts[0]?.stop : action.kind
    }
    const stop = { reason: 'start-timeout', at: at(31) }
    assert.deepEqual(stopOf({}), stop)
    assert.deepEqual(stopOf({ message: 'a pull' }), { ...stop, message: 'a pull' })
    assert.deepEqual(stopOf({ message: 'no node', unplaced: true }), {
      reason: 'unschedulable',
      at: at(31),
      message: 'no node',
    })
  })

  it('tells of a deadline with the word on what its attempt waited for, and no other', () => {
    const waits = confirmed()
    const { deadlineAt } = waits.task
    const record = applied(waits, calls.looked(waits, latest(waits), TYPE, deadlineAt!))
    const stopOf = (number: number) => {
      const seen = sighting({ phase: 'pending', message: 'a pull' }, undefined, number)
      const lastSeen = 'observation' in seen ? seen.observation : undefined
      const action = reconcile(record, TYPE, undefined, deadlineAt!, T0, lastSeen)
      return action.kind === 'change' ? action.change.attempts[0]?.stop?.message : action.kind
    }
    assert.deepEqual([stopOf(1), stopOf(2)], ['a pull', undefined])
  })

  it('tells in the exit why a start was given up, and not that it was removed for it', () => {
    const from = confirmed()
    const change = attempts.stopRequested(from, latest(from), TYPE, 'start-timeout', T0, 'a pull')
    const record = stopped(T0, applied(from, change))
    const removed = { reason: 'interrupted', message: 'its service was removed' } as const
    for (const sight of [
      sighting({ phase: 'exited', exit: removed, stopped: true }),
      sighting({ phase: 'removed', message: 'removed' }),
      absent(at(20)),
    ]) {
      const action = reconcile(record, TYPE, sight, at(20))
      assert.ok(action.kind === 'change')
      const [changed] = action.change.attempts
      assert.deepEqual([changed?.exit?.reason, changed?.exit?.message], ['start-timeout', 'a pull'])
    }
  })

  it('bears the attempt timeout from the first sight of it running', () => {
    const record = running(at(100), confirmed(at(90)))
    assert.equal(decidedAt(at(399.9), TYPE, record), 'none')
    assert.equal(decidedAt(at(400), TYPE, record), 'to stop: attempt-timeout')
  })

  it('ends a queued task at its deadline at once', () => {
    assert.equal(decidedAt(at(1799.9), TYPE, queued()), 'none')
    const action = reconcile(queued(), TYPE, undefined, at(1800))
    assert.equal(told(queued(), action), 'failed: deadline')
    assert.ok(action.kind === 'change')
    assert.deepEqual(
      action.change.events.map(({ name }) => name),
      ['longhaul/task-failed'],
    )
  })

  it('counts the deadline from notBefore', () => {
    const record = queued({ notBefore: at(1000) })
    assert.equal(decidedAt(at(2799), TYPE, record), 'none')
    assert.equal(decidedAt(at(2800), TYPE, record), 'failed: deadline')
  })

  it('stops what runs at its deadline, and calls that the reason', () => {
    const record = running(at(1700), confirmed(at(1700)))
    assert.equal(decidedAt(at(1799), TYPE, record), 'none')
    assert.equal(decidedAt(at(1800), TYPE, record), 'to stop: deadline')
    assert.equal(decidedAt(at(1800), TYPE, starting(at(1797))), 'to stop: deadline')
  })

  it('passes no deadline on a task whose exit awaits its decision', () => {
    assert.equal(decidedAt(at(1801), TYPE, exited(FAILED, at(1799))), 'none')
  })

  it('leaves the first reason to stop: a deadline after a cancel changes nothing', () => {
    const record = stopped(at(1790), stopping(at(1790), running(at(1700))))
    assert.equal(decidedAt(at(1801), TYPE, record), 'none')
  })

  it('decides an exit that the bus has not brought for five seconds', () => {
    const record = exited(FAILED, at(10))
    assert.equal(decidedAt(at(14.9), TYPE, record), 'none')
    assert.equal(decidedAt(at(15), TYPE, record), 'decide')
  })

  it('waits longer after each decision that has thrown, and not at all once it is stuck', () => {
    let record = exited(FAILED)
    for (const wait of [10, 15, 20, 25]) {
      record = applied(record, decideFailed(record, TYPE, 'why', 5, T0))
      assert.equal(decidedAt(at(wait - 0.1), TYPE, record), 'none')
      assert.equal(decidedAt(at(wait), TYPE, record), 'decide')
    }
    record = applied(record, decideFailed(record, TYPE, 'why', 5, T0))
    assert.match(record.task.stuck?.reason ?? '', /5 times: why/)
    assert.equal(decidedAt(at(3000), TYPE, record), 'none')
    record = applied(record, unstick(record, TYPE, undefined))
    assert.equal(decidedAt(at(3000), TYPE, record), 'decide')
  })

  it('keeps the unit of a failure for an hour, and releases any other at once', () => {
    const decided = (exit: ObservedExit): TaskRecord => {
      const record = exited(exit)
      const decision = { kind: 'fail', rule: 'r', counted: true } as const
      return applied(record, settle(record, TYPE, decision, latest(record).exit!, T0))
    }
    assert.equal(decidedAt(at(3599), TYPE, decided(FAILED)), 'none')
    assert.equal(decidedAt(at(3600), TYPE, decided(FAILED)), 'release')
    for (const reason of ['completed', 'cancelled', 'deadline'] as const) {
      assert.equal(decidedAt(T0, TYPE, decided({ reason })), 'release', reason)
    }
  })

  it('pauses before it removes again what could not be removed', () => {
    const record = applied(ended, calls.callFailed(ended, latest(ended), TYPE, 'remove', T0))
    assert.equal(decidedAt(at(0.9), TYPE, record), 'none')
    assert.equal(decidedAt(at(1), TYPE, record), 'release')
  })
})

describe('reconcile, when a unit or its node is gone', () => {
  it('has a missing unit looked for again, and calls it lost only after ten seconds', () => {
    assert.equal(decidedAt(at(9.9), TYPE, missing), 'none')
    assert.equal(decidedAt(at(10), TYPE, missing), 'look')
    assert.equal(decidedAt(at(9.9), TYPE, missing, absent(at(9.9))), 'none')
    assert.equal(decidedAt(at(10), TYPE, missing, absent(at(10))), 'fence: lost')
  })

  it('never takes a list that was begun before the confirmation for proof of absence', () => {
    assert.equal(decidedAt(at(5), TYPE, confirmed(at(4)), absent(at(3))), 'none')
    assert.equal(decidedAt(at(5), TYPE, confirmed(at(4)), absent(at(4))), 'none')
  })

  it('forgets that a unit was missing once it is seen, even on a node that does not answer', () => {
    const away = applied(missing, attempts.seenUnreachable(missing, latest(missing), TYPE, at(1)))
    assert.equal(decidedAt(at(2), TYPE, away, absent(at(2))), 'missing')
    const absentAgain = applied(away, attempts.seenMissing(away, latest(away), TYPE, at(3)))
    const back = sighting({ phase: 'unreachable', since: T0 }, at(4))
    assert.equal(decidedAt(at(4), TYPE, absentAgain, back), 'seen again')
  })

  it('bears a node that does not answer for as long as the type says, and then looks once more', () => {
    assert.equal(decidedAt(at(59.9), TYPE, unreachable), 'none')
    assert.equal(decidedAt(at(60), TYPE, unreachable), 'look')
    assert.equal(decidedAt(at(60), TYPE, unreachable, away(at(59.9))), 'look')
    assert.equal(decidedAt(at(60), TYPE, unreachable, away()), 'look')
    assert.equal(decidedAt(at(60), TYPE, unreachable, away(at(60))), 'fence: node-lost')
  })

  it('fences nothing off whose node is back when it looks once more', () => {
    const looked = applied(
      unreachable,
      calls.looked(unreachable, latest(unreachable), TYPE, at(600)),
    )
    const back = sighting({ phase: 'running' }, at(600))
    assert.equal(decidedAt(at(600), TYPE, looked, back), 'seen again')
    assert.equal(decidedAt(at(600), TYPE, looked, away(at(600))), 'fence: node-lost')
  })

  it('counts a node lost from the leader’s first sight, not from the scheduler’s word', () => {
    const record = running()
    const long = sighting({ phase: 'unreachable', since: new Date(0) }, at(1))
    const action = reconcile(record, TYPE, long, at(1))
    assert.ok(action.kind === 'change')
    const borne = applied(record, action.change)
    assert.equal(decidedAt(at(60.9), TYPE, borne, away(at(60.9))), 'none')
    assert.equal(decidedAt(at(61), TYPE, borne, away(at(61))), 'fence: node-lost')
  })

  it('waits for a node for ever where the type says so, but not for one that it wants to stop', () => {
    const waiting = applied(
      running(),
      attempts.seenUnreachable(running(), latest(running()), WAITS, T0),
    )
    assert.equal(decidedAt(at(299), WAITS, waiting, away(at(299))), 'none')
    const asked = stopping(at(50), waiting)
    assert.equal(decidedAt(at(70), WAITS, asked), 'stop')
    const stopAsked = stopped(at(50), asked)
    assert.equal(decidedAt(at(59.9), WAITS, stopAsked, away(at(59.9))), 'none')
    assert.equal(decidedAt(at(60), WAITS, stopAsked), 'look')
    assert.equal(decidedAt(at(60), WAITS, stopAsked, away(at(60))), 'fence: cancelled')
  })

  it('gives up fencing for now when the scheduler does not answer', () => {
    const failed = applied(
      unreachable,
      calls.callFailed(unreachable, latest(unreachable), TYPE, 'remove', at(60)),
    )
    assert.equal(decidedAt(at(60.5), TYPE, failed, away(at(60.5))), 'none')
    assert.equal(decidedAt(at(61), TYPE, failed), 'look')
    const looked = applied(failed, calls.looked(failed, latest(failed), TYPE, at(61)))
    assert.equal(decidedAt(at(62), TYPE, looked), 'none')
    assert.equal(decidedAt(at(62), TYPE, looked, away(at(62))), 'fence: node-lost')
  })

  it('does not remove at once again what it has just failed to remove, whatever a list shows', () => {
    const lost = applied(
      missing,
      calls.callFailed(missing, latest(missing), TYPE, 'remove', at(10)),
    )
    assert.equal(decidedAt(at(10), TYPE, lost, absent(at(10))), 'none')
    assert.equal(decidedAt(at(11), TYPE, lost), 'look')
    assert.equal(decidedAt(at(11), TYPE, lost, absent(at(11))), 'fence: lost')
    const kept = exited()
    const late = applied(kept, calls.callFailed(kept, latest(kept), TYPE, 'remove', at(2)))
    const alive = (listedAt: Date) => sighting({ phase: 'running' }, listedAt)
    assert.equal(decidedAt(at(2), TYPE, late, alive(LISTED)), 'none')
    assert.equal(decidedAt(at(3), TYPE, late, alive(at(3))), 'release late')
  })

  it('takes only a list for proof that a copy is late: a hint may be an old one', () => {
    const hint = sighting({ phase: 'running' })
    assert.equal(decidedAt(NOW, TYPE, exited(), hint), 'none')
    assert.equal(
      decidedAt(NOW, TYPE, exited(FAILED, at(1)), sighting({ phase: 'running' }, T0)),
      'none',
    )
  })

  it('is stuck, and says why, where the scheduler holds a later attempt than the store knows', () => {
    for (const record of [queued(), running(), exited(), ended]) {
      const number = record.task.attempt + 1
      const later = sighting({ phase: 'running' }, LISTED, number)
      const action = reconcile(record, TYPE, later, NOW)
      assert.ok(action.kind === 'change')
      const next = applied(record, action.change)
      assert.match(next.task.stuck?.reason ?? '', new RegExp(`attempt ${number} .*backup`))
      assert.deepEqual(action.change.events, [])
      assert.notEqual(told(next, reconcile(next, TYPE, later, NOW)), 'stuck', 'said once')
    }
  })

  it('stops a copy of an earlier attempt while the next one runs', () => {
    const first = releasedAt(T0, exited({ reason: 'node-lost' }))
    const retry = { kind: 'retry', rule: 'r', counted: false, dueAt: T0 } as const
    const again = applied(first, settle(first, TYPE, retry, latest(first).exit!, T0))
    const second = running(T0, confirmed(T0, starting(T0, again)))
    const action = reconcile(second, TYPE, sighting({ phase: 'running' }, LISTED, 1), NOW)
    assert.deepEqual(
      [action.kind, action.kind === 'release' && action.attempt.number],
      ['release', 1],
    )
    assert.equal(decidedAt(NOW, TYPE, second, sighting({ phase: 'running' }, LISTED, 2)), 'none')
  })
})

describe('reconcile, while a task is being stopped', () => {
  const wish = (record: TaskRecord, now: Date): TaskRecord => {
    const result = cancel(record, TYPE, { by: 'me' }, undefined, now)
    assert.ok(result.kind === 'change')
    return applied(record, result.change)
  }

  it('starts nothing any more once a starting task is cancelled', () => {
    assert.equal(decidedAt(at(14.9), TYPE, wish(starting(), at(1))), 'none')
  })

  it('is stopped when no start call can come through any more, which would find its name free', () => {
    assert.equal(decidedAt(at(15), TYPE, wish(starting(), at(1))), 'stop')
    const twice = calls.startCallBegun(starting(), latest(starting()), TYPE, at(2))
    const again = applied(starting(), twice)
    const answered = calls.startAnswered(latest(again), at(2), latest(starting()).startSettlesAt)
    const taken = applied(again, calls.startConfirmed(again, answered, TYPE, at(3)))
    const cancelled = wish(running(at(3), taken), at(4))
    assert.equal(decidedAt(at(4.9), TYPE, cancelled), 'none')
    assert.equal(decidedAt(at(5), TYPE, cancelled), 'stop')
  })

  it('is stopped at once where the sight of its unit shows that its one start call came through', () => {
    const seen = reconcile(starting(), TYPE, sighting({ phase: 'running' }), at(1))
    assert.ok(seen.kind === 'change')
    const record = wish(applied(starting(), seen.change), at(2))
    assert.equal(decidedAt(at(2), TYPE, record), 'stop')
  })

  it('is looked for right after the stop where it was never confirmed', () => {
    const record = stopped(at(15), wish(starting(), at(1)))
    assert.equal(decidedAt(at(15), TYPE, record), 'none')
    assert.equal(decidedAt(at(15.001), TYPE, record), 'look')
    assert.equal(decidedAt(at(15.001), TYPE, record, absent(at(15))), 'look')
    assert.equal(decidedAt(at(15.001), TYPE, record, absent(at(15.001))), 'exited: cancelled')
  })

  it('is not gone by a stop that was asked sooner, by a daemon of the release before', () => {
    const record = stopped(at(5), wish(starting(), at(4)))
    assert.equal(decidedAt(at(14.9), TYPE, record), 'none')
    assert.equal(decidedAt(at(14.9), TYPE, record, absent(at(14.9))), 'none')
    assert.equal(decidedAt(at(15), TYPE, record), 'look')
    assert.equal(decidedAt(at(15), TYPE, record, absent(at(15))), 'exited: cancelled')
  })

  it('stops a unit that appears after all', () => {
    const record = wish(starting(), at(1))
    const action = reconcile(record, TYPE, sighting({ phase: 'running' }, at(2)), at(2))
    assert.ok(action.kind === 'change')
    assert.equal(decidedAt(at(2), TYPE, applied(record, action.change)), 'stop')
  })

  it('reads absence as the end only in a list begun after the stop', () => {
    const record = stopped(at(5), stopping(at(5)))
    assert.equal(decidedAt(at(6), TYPE, record, absent(at(4))), 'none')
    assert.equal(decidedAt(at(6), TYPE, record, absent(at(5))), 'none')
    assert.equal(decidedAt(at(6), TYPE, record, absent(at(5.1))), 'exited: cancelled')
  })

  it('asks again for a stop that shows no effect, grace and all', () => {
    const once = stopped(at(5), stopping(at(5)))
    const graceAndMore = TYPE.service.stopGraceMs / 1000 + 15
    assert.equal(decidedAt(at(5 + graceAndMore - 0.1), TYPE, once), 'none')
    assert.equal(decidedAt(at(5 + graceAndMore), TYPE, once), 'stop')
    const twice = stopped(at(5 + graceAndMore), once)
    assert.deepEqual(latest(twice).stop?.calledAt, at(5), 'the first time stays')
    assert.equal(decidedAt(at(5 + graceAndMore + 14.9), TYPE, twice), 'none')
    assert.equal(decidedAt(at(5 + graceAndMore + 15), TYPE, twice), 'stop')
  })

  it('attributes an end to the stop, but leaves a program that was faster its success', () => {
    const ends = (record: TaskRecord, exit: ObservedExit, byStop: boolean) =>
      decidedAt(NOW, TYPE, record, sighting({ phase: 'exited', exit, stopped: byStop }))
    for (const reason of ['cancelled', 'deadline', 'attempt-timeout', 'start-timeout'] as const) {
      const asked = stopping(T0, running(), reason)
      const called = stopped(T0, asked)
      assert.equal(ends(called, KILLED, false), `exited: ${reason}`)
      assert.equal(ends(called, OK, true), `exited: ${reason}`, 'it handled the signal well')
      assert.equal(ends(called, OK, false), 'exited: completed')
      assert.equal(ends(asked, FAILED, false), 'exited: failed', 'nobody had asked yet')
    }
  })

  it('keeps code, signal, message and log tail of an end that it attributes', () => {
    const record = applied(
      stopping(),
      calls.stopCalled(stopping(), latest(stopping()), TYPE, T0, 'the tail'),
    )
    const action = reconcile(
      record,
      TYPE,
      sighting({ phase: 'exited', exit: KILLED, stopped: true }),
      NOW,
    )
    assert.ok(action.kind === 'change')
    const { at: _, ...exit } = latest(applied(record, action.change)).exit!
    assert.deepEqual(exit, {
      reason: 'cancelled',
      fault: 'operator',
      code: 143,
      signal: 'SIGTERM',
      logTail: 'the tail',
    })
  })

  it('gives a redriven task its deadline and its starts anew', () => {
    const failed = applied(queued(), reconcileChange(queued(), at(1800)))
    const again = applied(failed, redrive(failed, TYPE, 'c', at(2000)))
    assert.equal(decidedAt(at(3799), TYPE, again), 'none')
    assert.equal(decidedAt(at(3800), TYPE, again), 'failed: deadline')
    assert.equal(again.task.run, 2)
  })
})

function reconcileChange(record: TaskRecord, now: Date) {
  const action = reconcile(record, TYPE, undefined, now)
  assert.ok(action.kind === 'change')
  return action.change
}
