import { ConfigError, Rejected, Unavailable } from '../core/errors.ts'
import type { CheckResult } from '../ports/scheduler-adapter.ts'

/** One line of what `longhaul doctor` says. */
export interface Finding extends CheckResult {
  readonly part: 'scheduler' | 'bus' | 'store'
}

/** What can be thrown by looking, as a finding; anything else is thrown again. */
export function failedFinding(
  part: Finding['part'],
  name: string,
  error: unknown,
  remedy: string,
): Finding {
  const known =
    error instanceof ConfigError || error instanceof Rejected || error instanceof Unavailable
  if (!known) throw error
  return { part, name, ok: false, message: error.message, remedy }
}

/** Beyond this, times in events and logs mislead, and what is compared with another's clock is wrong. */
const SKEW_LIMIT_MS = 2_000

/** How far another's clock is from ours; the time that asking took is not held against it. */
export async function clockFinding(
  part: Finding['part'],
  ask: () => Promise<Date>,
): Promise<Finding> {
  const begun = Date.now()
  const theirs = (await ask()).getTime()
  const ended = Date.now()
  const aheadMs = theirs > ended ? theirs - ended : theirs < begun ? theirs - begun : 0
  const ok = Math.abs(aheadMs) <= SKEW_LIMIT_MS
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1)
  const way = aheadMs > 0 ? 'ahead of' : 'behind'
  return {
    part,
    name: 'clock',
    ok,
    message: aheadMs === 0 ? 'as ours' : `${seconds} s ${way} ours`,
    ...(!ok && { remedy: 'keep the clocks of all machines by NTP (chrony, systemd-timesyncd)' }),
  }
}
