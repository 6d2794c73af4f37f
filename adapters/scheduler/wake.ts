/** A flag that many may raise and one waits for. */
export class Wake {
  #raised = false
  #resolve: (() => void) | undefined

  raise(): void {
    this.#raised = true
    this.#resolve?.()
  }

  /** True once it is raised (at once, if it was since the last wait); false on abort or after `atMostMs`. */
  async wait(signal?: AbortSignal, atMostMs?: number): Promise<boolean> {
    if (!this.#raised && signal?.aborted !== true) {
      const wake = (): void => this.#resolve?.()
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
        signal?.addEventListener('abort', wake)
        if (atMostMs !== undefined) timer = setTimeout(resolve, atMostMs)
      })
      clearTimeout(timer)
      signal?.removeEventListener('abort', wake)
      this.#resolve = undefined
    }
    const raised = this.#raised
    this.#raised = false
    return raised
  }
}
