import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../../src/core/errors.ts'

/** `Unavailable` when the signal is aborted meanwhile. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
  if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
}
