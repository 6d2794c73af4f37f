import { backoffMs, CONFIGURATION_BACKOFF } from './backoff.ts'
import type { Exit } from './exit.ts'
import type { Attempt } from './task.ts'
import type { RetryRule, TaskType } from './task-type.ts'

/** Uncounted retries in a row after which a task fails all the same. */
export const MAX_UNCOUNTED_RETRIES = 10

/** What becomes of a task after an exit. `rule` says in words why. */
export type Decision =
  | { readonly kind: 'succeed'; readonly rule: string }
  | { readonly kind: 'fail'; readonly rule: string; readonly counted: boolean }
  | { readonly kind: 'cancel'; readonly rule: string }
  | {
      readonly kind: 'retry'
      readonly rule: string
      readonly counted: boolean
      readonly dueAt: Date
      readonly memoryBytes?: number
    }

/**
 * The policy as a pure function. `history` is every earlier attempt of the run, oldest first, each with
 * its exit and whether it was counted; `memoryBytes` is the limit that the attempt ran with.
 *
 * The first rule that matches wins; then the defaults by fault: a success is a success, `task` is
 * retried and counted, `configuration` likewise with a long backoff of its own, `infrastructure` is
 * retried without counting, `operator` ends the run. At most `max_attempts` attempts are counted, and
 * at most ten retries in a row are not.
 */
export function decide(
  type: Pick<TaskType, 'retry'>,
  history: readonly Attempt[],
  exit: Exit,
  now: Date,
  random: number,
  memoryBytes?: number,
): Decision {
  if (exit.reason === 'cancelled') return { kind: 'cancel', rule: 'cancelled' }
  if (exit.reason === 'deadline') {
    return { kind: 'fail', rule: 'deadline: the time for the whole run is over', counted: false }
  }
  const index = type.retry.rules.findIndex((rule) => matches(rule, exit))
  const rule = type.retry.rules[index]
  if (rule !== undefined) {
    const words = `retry.rules[${index}]: ${describe(rule)}`
    if (rule.action === 'succeed') return { kind: 'succeed', rule: words }
    if (rule.action === 'fail') return { kind: 'fail', rule: words, counted: true }
    return retry(type, history, exit, now, random, {
      words,
      counted: rule.count,
      ...memoryOf(rule, memoryBytes),
    })
  }
  switch (exit.fault) {
    case 'none':
      return { kind: 'succeed', rule: 'default: exit code 0' }
    case 'task':
    case 'configuration':
      return retry(type, history, exit, now, random, {
        words: `default: ${exit.reason} is retried and counted`,
        counted: true,
      })
    case 'infrastructure':
      return retry(type, history, exit, now, random, {
        words: `default: ${exit.reason} is retried without counting`,
        counted: false,
      })
    case 'operator':
      return { kind: 'cancel', rule: exit.reason }
  }
}

function retry(
  { retry: policy }: Pick<TaskType, 'retry'>,
  history: readonly Attempt[],
  exit: Exit,
  now: Date,
  random: number,
  how: { readonly words: string; readonly counted: boolean; readonly memoryBytes?: number },
): Decision {
  const counted = history.filter((attempt) => attempt.counted === true).length
  const uncountedInARow =
    history.length - 1 - history.findLastIndex((attempt) => attempt.counted === true)
  if (how.counted && counted + 1 >= policy.maxAttempts) {
    const rule = `retry.max_attempts: ${counted + 1} of ${policy.maxAttempts} counted attempts have ended (${how.words})`
    return { kind: 'fail', rule, counted: true }
  }
  if (!how.counted && uncountedInARow >= MAX_UNCOUNTED_RETRIES) {
    const rule = `at most ${MAX_UNCOUNTED_RETRIES} uncounted retries in a row (${how.words})`
    return { kind: 'fail', rule, counted: false }
  }
  const [backoff, nth] =
    exit.fault === 'configuration'
      ? ([CONFIGURATION_BACKOFF, sameFaultInARow(history, 'configuration') + 1] as const)
      : ([policy.backoff, how.counted ? counted + 1 : uncountedInARow + 1] as const)
  const dueAt = new Date(now.getTime() + backoffMs(backoff, nth, random))
  return {
    kind: 'retry',
    rule: how.words,
    counted: how.counted,
    dueAt,
    ...(how.memoryBytes !== undefined && { memoryBytes: how.memoryBytes }),
  }
}

function sameFaultInARow(history: readonly Attempt[], fault: Exit['fault']): number {
  return history.length - 1 - history.findLastIndex((attempt) => attempt.exit?.fault !== fault)
}

function matches({ when }: RetryRule, exit: Exit): boolean {
  const { exitCode, reason, fault, signal } = when
  const { code } = exit
  if (
    exitCode &&
    (code === undefined || !exitCode.some(({ from, to }) => code >= from && code <= to))
  ) {
    return false
  }
  if (reason && !reason.includes(exit.reason)) return false
  if (fault && !fault.includes(exit.fault)) return false
  if (signal && (exit.signal === undefined || !signal.includes(exit.signal))) return false
  return true
}

/** The raised memory limit; without a limit there is nothing to raise. */
function memoryOf({ memory }: RetryRule, bytes?: number): { readonly memoryBytes?: number } {
  if (memory === undefined || bytes === undefined) return {}
  const raised = Math.round(bytes * memory.factor)
  return { memoryBytes: Math.max(bytes, Math.min(raised, memory.maxBytes ?? raised)) }
}

function describe({ when, action, count }: RetryRule): string {
  const codes = when.exitCode?.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`))
  const conditions = [
    codes && `exit_code ${codes.join(', ')}`,
    when.reason && `reason ${when.reason.join(', ')}`,
    when.fault && `fault ${when.fault.join(', ')}`,
    when.signal && `signal ${when.signal.join(', ')}`,
  ].filter((condition) => condition !== undefined)
  const verdict = action === 'retry' && !count ? 'retry without counting' : action
  return `${conditions.join(' and ')}: ${verdict}`
}
