import assert from 'node:assert/strict'
import fc from 'fast-check'
import * as calls from '../../src/core/attempt-calls.ts'
import * as attempts from '../../src/core/attempts.ts'
import type { Change } from '../../src/core/change.ts'
import { wakeAt } from '../../src/core/dues.ts'
import { faultOf, type ObservedExit } from '../../src/core/exit.ts'
import { cancel, decideFailed, redrive, settle, unstick } from '../../src/core/lifecycle.ts'
import { type Action, reconcile, type Sighting } from '../../src/core/reconcile.ts'
import { type Attempt, currentAttempt, isEnded, type TaskRecord } from '../../src/core/task.ts'
import { absent, applied, queued, sighting, T0, TYPE, unitOf } from './record-of.ts'

/** One thing that may happen to a task at any time. */
type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'wake' | 'dispatch' | 'cancel' | 'redrive' }
  | { readonly do: 'settle'; readonly how: 'succeed' | 'fail' | 'retry' | 'throw' }
  | {
      readonly do: 'see'
      readonly phase: 'pending' | 'running' | 'exited' | 'removed' | 'unreachable' | 'absent'
      readonly exit: ObservedExit
      readonly stopped: boolean
      /** Counted back from the latest attempt; -1 is one that the store does not know. */
      readonly back: number
      /** How long ago the list was begun that showed it; undefined: a hint. */
      readonly listedMsAgo: number | undefined
    }

interface World {
  readonly record: TaskRecord
  readonly now: Date
  /** Whether calls to the scheduler get through, one after the other. */
  readonly calls: () => boolean
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 500, 6_000, 15_000, 61_000, 400_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom<'wake' | 'dispatch' | 'cancel' | 'redrive'>(
        'wake',
        'dispatch',
        'wake',
        'dispatch',
        'dispatch',
        'cancel',
        'redrive',
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      how: fc.constantFrom('succeed' as const, 'fail' as const, 'retry' as const, 'throw' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('see' as const),
      phase: fc.constantFrom(
        'pending' as const,
        'running' as const,
        'exited' as const,
        'removed' as const,
        'unreachable' as const,
        'absent' as const,
      ),
      exit: fc.constantFrom<ObservedExit>(
        { reason: 'completed', code: 0 },
        { reason: 'failed', code: 3 },
        { reason: 'killed', code: 143, signal: 'SIGTERM' },
        { reason: 'preempted' },
      ),
      stopped: fc.boolean(),
      back: fc.oneof(
        { weight: 20, arbitrary: fc.constant(0) },
        { weight: 3, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.constant(-1) },
      ),
      listedMsAgo: fc.constantFrom(undefined, 0, 1, 20_000),
    }),
  },
)

/** What the engine's reconciler does about an action, the scheduler being there or away. */
function carriedOut(record: TaskRecord, action: Action, now: Date, through: boolean): TaskRecord {
  const make = (change: Change | undefined) =>
    change === undefined ? record : applied(record, change)
  if (action.kind === 'none') return record
  if (action.kind === 'change') return make(action.change)
  if (action.kind === 'decide') return settled(record, 'fail', now)
  const attempt = record.attempts.find(({ number }) => number === action.attempt.number)!
  const failed = (kind: 'start' | 'stop' | 'remove') =>
    make(calls.callFailed(record, attempt, TYPE, kind, now))
  switch (action.kind) {
    case 'start': {
      const begun = make(calls.startCallBegun(record, attempt, TYPE, now))
      const latest = currentAttempt(begun)!
      const change = through
        ? calls.startConfirmed(
            begun,
            calls.startAnswered(latest, now, attempt.startSettlesAt),
            TYPE,
            now,
          )
        : calls.callFailed(begun, latest, TYPE, 'start', now)
      return applied(begun, change)
    }
    case 'stop':
      return through ? make(calls.stopCalled(record, attempt, TYPE, now)) : failed('stop')
    case 'fence':
      return through
        ? make(attempts.exitRecorded(record, attempt, TYPE, action.exit, now, { gone: true }))
        : failed('remove')
    case 'release':
      return through ? make(calls.released(record, attempt, TYPE, now)) : failed('remove')
    case 'record-late':
      return make(attempts.lateExitRecorded(record, attempt, TYPE, action.exit, now))
    case 'look':
      return make(calls.looked(record, attempt, TYPE, now))
  }
}

function settled(
  record: TaskRecord,
  how: 'succeed' | 'fail' | 'retry' | 'throw',
  now: Date,
): TaskRecord {
  const exit = currentAttempt(record)?.exit
  if (record.task.state !== 'exited' || record.task.stuck || exit === undefined) return record
  if (how === 'throw') return applied(record, decideFailed(record, TYPE, 'why', 5, now))
  const dueAt = new Date(now.getTime() + 5_000)
  // As `decide` has it: an operator's end leaves no choice.
  const decision =
    exit.reason === 'cancelled'
      ? ({ kind: 'cancel', rule: 'r' } as const)
      : exit.reason === 'deadline'
        ? ({ kind: 'fail', rule: 'r', counted: false } as const)
        : how === 'retry'
          ? ({ kind: 'retry', rule: 'r', counted: true, dueAt } as const)
          : ({ kind: how, rule: 'r', counted: true } as const)
  return applied(record, settle(record, TYPE, decision, exit, now))
}

/** Until there is nothing left to do at this moment. Fails where that takes for ever. */
function quiet({ record, now, calls }: World, seen?: Sighting): TaskRecord {
  let current = record
  for (let turn = 0; turn < 12; turn += 1) {
    const action = reconcile(current, TYPE, seen, now)
    if (action.kind === 'none') return current
    current = carriedOut(current, action, now, calls())
  }
  assert.fail(`still not at rest: ${JSON.stringify(reconcile(current, TYPE, seen, now))}`)
}

function seenAs(step: Extract<Step, { do: 'see' }>, { record, now }: World): Sighting {
  const number = Math.max(1, record.task.attempt - step.back)
  const listedAt =
    step.listedMsAgo === undefined ? undefined : new Date(now.getTime() - step.listedMsAgo)
  switch (step.phase) {
    case 'absent':
      return absent(listedAt ?? now, number)
    case 'exited':
      return sighting({ phase: 'exited', exit: step.exit, stopped: step.stopped }, listedAt, number)
    case 'unreachable':
      return sighting({ phase: 'unreachable', since: now }, listedAt, number)
    default:
      return sighting({ phase: step.phase }, listedAt, number)
  }
}

function taken(world: World, step: Step): World {
  const { record, now } = world
  const { task } = record
  switch (step.do) {
    case 'wait':
      return { ...world, now: new Date(now.getTime() + step.ms) }
    case 'wake': {
      // Else all that a queued task ever came to would be its deadline.
      const due = task.state === 'queued' ? task.dueAt : wakeAt(record, TYPE)
      const then = { ...world, now: due !== undefined && due > now ? due : now }
      return { ...then, record: quiet(then) }
    }
    case 'dispatch': {
      if (task.state !== 'queued' || task.stuck || task.dueAt! > now) return world
      const unit = unitOf(task.attempt + 1)
      return { ...world, record: applied(record, attempts.beginAttempt(record, TYPE, unit, now)) }
    }
    case 'cancel': {
      const result = cancel(record, TYPE, {}, undefined, now)
      if (result.kind !== 'change') return world
      return { ...world, record: applied(record, result.change) }
    }
    case 'redrive': {
      if (task.stuck) return { ...world, record: applied(record, unstick(record, TYPE, 'c')) }
      if (task.state !== 'failed' && task.state !== 'cancelled') return world
      return { ...world, record: applied(record, redrive(record, TYPE, 'c', now)) }
    }
    case 'settle':
      return { ...world, record: settled(record, step.how, now) }
    case 'see':
      if (task.attempt === 0 && step.back >= 0) return world
      return { ...world, record: quiet(world, seenAs(step, world)) }
  }
}

/** Every world that the steps lead to. */
function worlds(steps: readonly Step[], through: readonly boolean[]): readonly World[] {
  let asked = 0
  const calls = () => through[asked++ % through.length] ?? true
  const found: World[] = [{ record: queued(), now: T0, calls }]
  for (const one of steps) found.push(taken(found.at(-1)!, one))
  return found
}

const steps = fc.array(step, { maxLength: 40, size: 'max' })
const through = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 })
const RUNS = { numRuns: 500 }

describe('the time at which a task is looked at again', () => {
  it('comes when there is something to do, and not before', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        for (const { record } of worlds(some, answers)) {
          const due = wakeAt(record, TYPE)
          const later = due ?? new Date(T0.getTime() + 1e11)
          const before = reconcile(record, TYPE, undefined, new Date(later.getTime() - 1))
          assert.equal(before.kind, 'none', 'nothing is to be done before')
          if (due === undefined) continue
          assert.notEqual(reconcile(record, TYPE, undefined, due).kind, 'none')
        }
      }),
      RUNS,
    )
  })

  it('is set for everything that has not ended, is not queued and is not stuck', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        for (const { record } of worlds(some, answers)) {
          const { state, stuck } = record.task
          if (isEnded(state) || state === 'queued' || stuck !== undefined) continue
          assert.ok(wakeAt(record, TYPE), `a task that is ${state} is never looked at again`)
        }
      }),
      RUNS,
    )
  })

  it('is never now once everything has been tried: no hot loop, the scheduler away or not', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        for (const world of worlds(some, answers)) {
          const due = wakeAt(quiet(world), TYPE)
          assert.ok(due === undefined || due > world.now)
        }
      }),
      RUNS,
    )
  })

  it('leads every task to its end with nothing but time, and leaves no unit behind', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        let { record, now } = worlds(some, answers).at(-1)!
        const calls = () => true
        if (record.task.stuck) record = applied(record, unstick(record, TYPE, 'c'))
        for (let turn = 0; turn < 200; turn += 1) {
          const unit = currentAttempt(record)
          // A scheduler that answers and holds nothing: whatever is asked for is not there.
          if (unit && unit.exit === undefined) {
            record = quiet({ record, now, calls }, absent(now, unit.number))
          }
          const due = wakeAt(record, TYPE)
          if (due === undefined) break
          now = due > now ? due : new Date(now.getTime() + 1)
          record = quiet({ record, now, calls })
        }
        assert.ok(isEnded(record.task.state), `it is ${record.task.state} for ever`)
        for (const { unit, releasedAt } of record.attempts) assert.ok(releasedAt, unit)
      }),
      RUNS,
    )
  })
})

describe('a task, whatever happens to it', () => {
  it('keeps the exit of an attempt, its number, and the outcome of a run', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        const all = worlds(some, answers)
        for (const [i, { record }] of all.entries()) {
          const next = all[i + 1]?.record
          if (next === undefined) continue
          for (const attempt of record.attempts) {
            const after: Attempt | undefined = next.attempts.find(
              ({ number }) => number === attempt.number,
            )
            assert.ok(after, 'no attempt is forgotten')
            assert.equal(after.unit, attempt.unit)
            if (attempt.exit) assert.deepEqual(after.exit, attempt.exit)
          }
          assert.ok(next.task.attempt - record.task.attempt <= 1)
          if (next.task.run === record.task.run && record.task.outcome) {
            assert.deepEqual(next.task.outcome, record.task.outcome)
          }
        }
      }),
      RUNS,
    )
  })

  it('is one thing at a time: its state, its attempt and its outcome agree', () => {
    fc.assert(
      fc.property(steps, through, (some, answers) => {
        for (const { record } of worlds(some, answers)) {
          const { task, attempts: all } = record
          const attempt = currentAttempt(record)
          const live = all.filter(({ exit }) => exit === undefined)
          assert.equal(task.outcome !== undefined, isEnded(task.state))
          assert.equal(task.purgeAt !== undefined, isEnded(task.state))
          assert.equal(task.dueAt !== undefined, task.state === 'queued')
          const inFlight = task.state === 'starting' || task.state === 'running'
          assert.deepEqual(live, inFlight ? [attempt] : [], 'one attempt is in flight')
          if (attempt && !isEnded(task.state) && task.state !== 'queued') {
            assert.equal(attempt.state, task.state)
          }
          for (const { exit } of all) if (exit) assert.equal(exit.fault, faultOf(exit.reason))
          if (task.state === 'succeeded') assert.notEqual(task.outcome?.exit?.fault, 'operator')
        }
      }),
      RUNS,
    )
  })
})
