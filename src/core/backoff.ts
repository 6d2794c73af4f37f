import type { Backoff } from './task-type.ts'

/**
 * How long to wait before retry number `retry` (from 1), in milliseconds: `initial · factor^(retry-1)`,
 * at most `max`; with full jitter a random part of that. `random` is in [0, 1).
 */
export function backoffMs(backoff: Backoff, retry: number, random: number): number {
  if (backoff === 'none') return 0
  const { initialMs, factor, maxMs, jitter } = backoff
  // factor^n overflows to Infinity for long histories; Math.min then still gives the maximum.
  const ceiling = Math.min(maxMs, initialMs * factor ** (retry - 1))
  return Math.round(jitter === 'full' ? ceiling * random : ceiling)
}

/** For faults of the configuration: an image may be pushed a minute later, a typo takes a person. */
export const CONFIGURATION_BACKOFF: Backoff = {
  initialMs: 60_000,
  factor: 2,
  maxMs: 900_000,
  jitter: 'full',
}
