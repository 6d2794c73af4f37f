/** Who runs the loops: one process at a time. */
export interface Leadership {
  /** Resolves when this process leads; rejects with the signal's reason when it is aborted first. */
  acquire(signal: AbortSignal): Promise<Lease>
}

/** The lead of one epoch. Disposing of it gives it up at once. */
export interface Lease extends AsyncDisposable {
  /** Grows with every taking of the lead. */
  readonly epoch: number
  /** Aborted when the lease has ended, by either of this process's clocks or by a takeover. */
  readonly lost: AbortSignal
  /** How long it is certainly this process's, in milliseconds. */
  remainingMs(): number
}
