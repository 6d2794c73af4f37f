import type { ExitReason } from '../core/exit.ts'

/** What is counted as it happens; what can be read from the store is read from there. */
export interface Meter {
  attemptEnded(reason: ExitReason): void
  taskEnded(type: string, state: 'succeeded' | 'failed' | 'cancelled'): void
  /** From the recording of an exit to the confirmed publishing of its event. */
  exitPublished(seconds: number): void
  /** Units of this installation that the store does not know, at the latest list. */
  orphans(count: number): void
  lateCopy(): void
  listed(seconds: number): void
  watching(connected: boolean): void
  leading(leads: boolean): void
  message(outcome: 'handled' | 'retried' | 'dead-lettered'): void
}
