import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createProgress, type Step, stepWords } from '../../../src/cli/views/progress.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { COMPLETED, FAILED, succeededTask, wireTask } from '../stub-daemon.ts'

const AT = '2030-01-01T00:00:00.000Z'
const EVENTS: readonly (readonly [kind: string, fields: object])[] = [
  ['accepted', {}],
  ['started', { attempt: 1 }],
  ['exited', { attempt: 1, exit: { ...FAILED, at: AT } }],
  ['retrying', { attempt: 1, dueAt: AT, rule: 'because' }],
  ['started', { attempt: 2 }],
  ['exited', { attempt: 2, exit: { ...COMPLETED, at: AT } }],
  ['succeeded', {}],
]
const message = (fields: object): JsonObject => ({ run: 1, at: AT, ...fields })
const name = (kind: string) => `longhaul/task-${kind}`
const kinds = (steps: readonly Step[]) =>
  steps.map(({ kind, attempt }) => `${kind}${attempt ?? ''}`)
const ALL = EVENTS.map(
  ([kind, fields]) => `${kind}${'attempt' in fields ? String(fields.attempt) : ''}`,
)

describe('the progress of a task', () => {
  it('tells each step once and in order, however often events come again', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(EVENTS.length), { maxLength: 10 }), (backs) => {
        const progress = createProgress(1)
        const told: Step[] = []
        const order = EVENTS.flatMap((_, i) => {
          const from = backs[i] ?? i
          return from < i ? EVENTS.slice(from, i + 1) : [EVENTS[i]!]
        })
        for (const [kind, fields] of order)
          told.push(...progress.event(name(kind), message(fields)))
        assert.deepEqual(kinds(told), ALL)
      }),
    )
  })

  it('fills in from the task what no event has told', () => {
    const progress = createProgress(1)
    progress.event(name('accepted'), message({}))
    assert.deepEqual(kinds(progress.task(succeededTask())), ['started1', 'exited1', 'succeeded'])
    assert.deepEqual(progress.event(name('started'), message({ attempt: 1 })), [])
  })

  it('tells of a task that waits for its next attempt when that is due', () => {
    const exit = { ...FAILED, at: AT }
    const steps = createProgress(1).task(
      wireTask({ dueAt: AT, attempts: [{ number: 1, run: 1, state: 'exited', exit }] }),
    )
    assert.deepEqual(kinds(steps), ['accepted', 'exited1', 'retrying1'])
  })

  it('tells nothing of earlier runs, of answers to repeats, and of events of the type’s own', () => {
    const progress = createProgress(2)
    assert.deepEqual(progress.event(name('failed'), message({})), [])
    assert.deepEqual(progress.event(name('failed'), message({ run: 2, repeatOf: 'e' })), [])
    assert.deepEqual(progress.event('media/done', message({ run: 2 })), [])
    assert.deepEqual(progress.event(name('constructor'), message({ run: 2 })), [])
    assert.deepEqual(kinds(progress.event(name('started'), message({ run: 2, attempt: 3 }))), [
      'started3',
    ])
  })

  it('says in words how an attempt ended and what comes next', () => {
    const words = (kind: Step['kind'], fields: Partial<Step>) =>
      stepWords({ kind, run: 1, at: AT, ...fields }, () => 'in 5s')
    assert.equal(
      words('exited', { attempt: 2, exit: { ...FAILED, message: 'two\nlines', at: AT } }),
      'attempt 2 ended: failed, exit code 3: two lines',
    )
    assert.equal(
      words('exited', {
        attempt: 1,
        exit: { reason: 'killed', fault: 'task', code: 137, signal: 'SIGKILL', at: AT },
      }),
      'attempt 1 ended: killed by SIGKILL, exit code 137',
    )
    assert.equal(words('retrying', { dueAt: AT, rule: 'r' }), 'next attempt in 5s; r')
    assert.equal(words('cancelled', { by: 'kim', reason: 'no need' }), 'cancelled by kim: no need')
  })
})
