/** Time, as the engine may know it. */
export interface Clock {
  /** The wall clock. It may jump. */
  now(): Date
  /** Milliseconds that only ever grow, from an arbitrary start. */
  monotonicMs(): number
  /**
   * Resolves after `ms` milliseconds (at most 60 s are ever asked for: long timers fire at once), or
   * when the signal is aborted, whichever is first. Never rejects.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
