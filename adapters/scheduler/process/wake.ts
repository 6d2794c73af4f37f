/** A flag that many may raise and one waits for. */
export class Wake {
  #raised = false
  #resolve: (() => void) | undefined

  raise(): void {
    this.#raised = true
    this.#resolve?.()
  }

  /** Resolves once it is raised (at once, if it was since the last wait), on abort, or after `atMostMs`. */
  async wait(signal: AbortSignal, atMostMs?: number): Promise<void> {
    if (!this.#raised && !signal.aborted) {
      let timer: NodeJS.Timeout | undefined
      const wake = (): void => this.#resolve?.()
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
        signal.addEventListener('abort', wake)
        if (atMostMs !== undefined) timer = setTimeout(resolve, atMostMs)
      })
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      this.#resolve = undefined
    }
    this.#raised = false
  }
}
