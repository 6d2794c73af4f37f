import { EXIT_REASONS, type ExitReason } from '../exit.ts'
import type { Json } from '../json.ts'
import {
  asText,
  type Backoff,
  type CodeRange,
  type RetryPolicy,
  type RetryRule,
} from '../task-type.ts'
import { bytes, duration, list, number, object, text, wrong } from './reader.ts'

/** `x-task.retry`, every default applied. */
export function compileRetry(value: Json | undefined, path: string): RetryPolicy {
  const retry = object(value, path)
  return {
    maxAttempts: number(retry['max_attempts'], `${path}.max_attempts`) ?? 3,
    backoff: compileBackoff(retry['backoff'], `${path}.backoff`),
    rules: list(retry['rules']).map((rule, i) => compileRule(rule, `${path}.rules[${i}]`)),
  }
}

function compileBackoff(value: Json | undefined, path: string): Backoff {
  if (value === 'none') return 'none'
  const backoff = object(value, path)
  return {
    initialMs: duration(backoff['initial'], `${path}.initial`) ?? 5_000,
    factor: number(backoff['factor'], `${path}.factor`) ?? 2,
    maxMs: duration(backoff['max'], `${path}.max`) ?? 300_000,
    jitter: text(backoff['jitter'], `${path}.jitter`) === 'none' ? 'none' : 'full',
  }
}

function compileRule(value: Json, path: string): RetryRule {
  const rule = object(value, path)
  const when = object(rule['when'], `${path}.when`)
  const memory = object(object(rule['resources'], `${path}.resources`)['memory'], path)
  const factor = number(memory['factor'], `${path}.resources.memory.factor`)
  const maxBytes = bytes(memory['max'], `${path}.resources.memory.max`)
  return {
    when: {
      ...(when['exit_code'] !== undefined && {
        exitCode: list(when['exit_code']).map((code) => codeRange(code, `${path}.when.exit_code`)),
      }),
      ...(when['reason'] !== undefined && {
        reason: list(when['reason']).map((reason) => exitReason(reason, `${path}.when.reason`)),
      }),
      ...(when['fault'] !== undefined && {
        fault: list(when['fault']).map((fault) => text(fault, `${path}.when.fault`) ?? ''),
      }),
      ...(when['signal'] !== undefined && {
        signal: list(when['signal']).map((name) => signal(text(name, `${path}.when.signal`) ?? '')),
      }),
    },
    action: action(rule['action'], `${path}.action`),
    // A variable that was filled in is a string.
    count: rule['count'] !== false && rule['count'] !== 'false',
    ...(factor !== undefined && {
      memory: { factor, ...(maxBytes !== undefined && { maxBytes }) },
    }),
  }
}

/** A code, or a range of them: `64-78`. */
function codeRange(value: Json, path: string): CodeRange {
  const match = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(asText(value))
  const from = Number(match?.[1])
  const to = Number(match?.[2] ?? match?.[1])
  if (match !== null && from <= to && to <= 255) return { from, to }
  throw wrong(path, `${JSON.stringify(value)} is no exit code or range: write 99 or "64-78"`)
}

function exitReason(value: Json, path: string): ExitReason {
  const reason = EXIT_REASONS.find((known) => known === value)
  if (reason !== undefined) return reason
  throw wrong(path, `${JSON.stringify(value)} is no reason: one of ${EXIT_REASONS.join(', ')}`)
}

function signal(name: string): string {
  return name.startsWith('SIG') ? name : `SIG${name}`
}

function action(value: Json | undefined, path: string): RetryRule['action'] {
  if (value === 'retry' || value === 'fail' || value === 'succeed') return value
  throw wrong(path, 'must be retry, fail or succeed')
}
