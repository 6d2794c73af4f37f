/** A flag that may be raised any time and that one waits for. */
export class Wake {
  #raised = false
  #resolve: (() => void) | undefined

  raise(): void {
    this.#raised = true
    this.#resolve?.()
  }

  /** Resolves once it is raised: at once, if it was since the last wait. */
  async wait(): Promise<void> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve
      })
      this.#resolve = undefined
    }
    this.#raised = false
  }
}
