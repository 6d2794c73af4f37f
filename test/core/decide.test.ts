import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decide, MAX_UNCOUNTED_RETRIES } from '../../src/core/decide.ts'
import { type Exit, EXIT_REASONS, type ExitReason, faultOf } from '../../src/core/exit.ts'
import type { Attempt } from '../../src/core/task.ts'
import type { RetryRule, TaskType } from '../../src/core/task-type.ts'

const NOW = new Date('2030-01-01T00:00:00Z')

function exitBy(reason: ExitReason, rest: Partial<Exit> = {}): Exit {
  return { reason, fault: faultOf(reason), at: NOW, ...rest }
}

function typeWith(rules: readonly RetryRule[] = [], maxAttempts = 3): Pick<TaskType, 'retry'> {
  const backoff = { initialMs: 1000, factor: 2, maxMs: 8000, jitter: 'none' } as const
  return { retry: { maxAttempts, backoff, rules } }
}

function past(counted: boolean, reason: ExitReason = 'failed', number = 1): Attempt {
  return {
    number,
    run: 1,
    unit: `u${number}`,
    state: 'exited',
    createdAt: NOW,
    startCall: { begunAt: NOW },
    callFailures: 0,
    exit: exitBy(reason),
    counted,
  }
}

const failed = exitBy('failed', { code: 3 })

describe('deciding about an exit', () => {
  it('takes code 0 for a success and nothing else', () => {
    for (const reason of EXIT_REASONS) {
      const decision = decide(typeWith(), [], exitBy(reason), NOW, 0.5)
      assert.equal(decision.kind === 'succeed', reason === 'completed', reason)
    }
  })

  it('retries what the task did itself until max_attempts attempts are counted', () => {
    assert.equal(decide(typeWith(), [], failed, NOW, 0).kind, 'retry')
    assert.equal(decide(typeWith(), [past(true)], failed, NOW, 0).kind, 'retry')
    const last = decide(typeWith(), [past(true), past(true)], failed, NOW, 0)
    assert.equal(last.kind, 'fail')
    assert.match(last.rule, /3 of 3 counted attempts/)
  })

  it('does not count what the infrastructure did, ten times in a row at most', () => {
    const lost = exitBy('node-lost')
    const uncounted = Array.from({ length: MAX_UNCOUNTED_RETRIES - 1 }, () =>
      past(false, 'node-lost'),
    )
    const ninth = decide(typeWith(), uncounted, lost, NOW, 0)
    assert.deepEqual([ninth.kind, 'counted' in ninth && ninth.counted], ['retry', false])
    const tenth = decide(typeWith(), [...uncounted, past(false, 'lost')], lost, NOW, 0)
    assert.equal(tenth.kind, 'fail')
    const broken = [...uncounted, past(true), past(false, 'lost')]
    assert.equal(decide(typeWith([], 20), broken, lost, NOW, 0).kind, 'retry')
  })

  it('counts rules with count: false among the uncounted ones', () => {
    const rule: RetryRule = {
      when: { exitCode: [{ from: 3, to: 3 }] },
      action: 'retry',
      count: false,
    }
    const history = Array.from({ length: MAX_UNCOUNTED_RETRIES }, () => past(false))
    assert.equal(decide(typeWith([rule]), history.slice(1), failed, NOW, 0).kind, 'retry')
    assert.equal(decide(typeWith([rule]), history, failed, NOW, 0).kind, 'fail')
  })

  it('lets the first rule that matches win, all keys of it holding', () => {
    const rules: RetryRule[] = [
      {
        when: { exitCode: [{ from: 64, to: 78 }], reason: ['killed'] },
        action: 'succeed',
        count: true,
      },
      { when: { exitCode: [{ from: 64, to: 78 }] }, action: 'fail', count: true },
      { when: { reason: ['failed'] }, action: 'succeed', count: true },
    ]
    const at = (code: number) => decide(typeWith(rules), [], exitBy('failed', { code }), NOW, 0)
    assert.deepEqual([at(64).kind, at(78).kind, at(79).kind], ['fail', 'fail', 'succeed'])
    assert.match(at(64).rule, /^retry\.rules\[1\]: exit_code 64-78: fail$/)
  })

  it('ends the run on a cancel or a passed deadline, whatever the rules say', () => {
    const rule: RetryRule = { when: {}, action: 'retry', count: true }
    assert.equal(decide(typeWith([rule]), [], exitBy('cancelled'), NOW, 0).kind, 'cancel')
    assert.equal(decide(typeWith([rule]), [], exitBy('deadline'), NOW, 0).kind, 'fail')
  })

  it('raises the memory by the factor, at most to the rule’s maximum, and only where there is a limit', () => {
    const memory = { factor: 2, maxBytes: 700 }
    const rule: RetryRule = { when: { reason: ['oom'] }, action: 'retry', count: true, memory }
    const at = (bytes?: number) => {
      const decision = decide(typeWith([rule]), [], exitBy('oom'), NOW, 0, bytes)
      return decision.kind === 'retry' ? decision.memoryBytes : 'no retry'
    }
    assert.deepEqual([at(200), at(400), at(800), at()], [400, 700, 800, undefined])
  })

  it('waits longer each time, and for the configuration’s faults a minute and more', () => {
    const wait = (history: Attempt[], exit: Exit) => {
      const decision = decide(typeWith([], 50), history, exit, NOW, 0.999)
      return decision.kind === 'retry' ? decision.dueAt.getTime() - NOW.getTime() : -1
    }
    const history = (n: number) => Array.from({ length: n }, () => past(true))
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((n) => wait(history(n), failed)),
      [1000, 2000, 4000, 8000, 8000],
    )
    assert.equal(wait([], exitBy('image-unavailable')), 59_940)
  })

  it('never has more counted attempts than max_attempts, and always ends', () => {
    const reasons = fc.constantFrom(...EXIT_REASONS)
    fc.assert(
      fc.property(
        fc.array(reasons, { minLength: 400, maxLength: 400 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.record({ reason: reasons, count: fc.boolean() }), { maxLength: 3 }),
        (exits, maxAttempts, some) => {
          const rules = some.map(({ reason, count }): RetryRule => ({
            when: { reason: [reason] },
            action: 'retry',
            count,
          }))
          const history: Attempt[] = []
          for (const [i, reason] of exits.entries()) {
            const decision = decide(typeWith(rules, maxAttempts), history, exitBy(reason), NOW, 0.5)
            const counted = history.filter((attempt) => attempt.counted).length
            if (decision.kind !== 'retry')
              return counted + 1 <= maxAttempts || counted <= maxAttempts
            history.push(past(decision.counted, reason, i + 1))
            assert.ok(history.filter((attempt) => attempt.counted).length < maxAttempts)
          }
          assert.fail('it retries for ever')
        },
      ),
    )
  })
})
