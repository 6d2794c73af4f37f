import { watch } from 'node:fs'
import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import { Wake } from '../wake.ts'

/**
 * The names of units that may have changed: what shims touch in the shared folder `.hints`, at their
 * claim and at their end, and what this adapter knows itself. One inotify watch serves every unit.
 */
export class Changes {
  readonly #folder: string
  readonly #listeners = new Set<(name: string) => void>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** This adapter itself has seen or made a change that no shim tells of. */
  tell(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }

  listen(listener: (name: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Subscribed when it returns; the names come until the signal is aborted. Throws where inotify fails. */
  subscribe(signal: AbortSignal): AsyncIterable<string> {
    const names = new Set<string>()
    const wake = new Wake()
    let failure: unknown
    const add = (name: string): void => {
      names.add(name)
      wake.raise()
    }
    const fail = (error: unknown): Unavailable =>
      new Unavailable('watch', `watching ${this.#folder}: ${errorMessage(error)}`, error)
    let watcher
    try {
      watcher = watch(this.#folder, (_event, name) => {
        if (name !== null) add(name)
      })
    } catch (error) {
      throw fail(error)
    }
    watcher.on('error', (error) => {
      failure = error
      wake.raise()
    })
    const unlisten = this.listen(add)
    // Not in the generator's `finally`: a generator that was never asked for a value has none.
    signal.addEventListener(
      'abort',
      () => {
        watcher.close()
        unlisten()
      },
      { once: true },
    )
    return drain()

    async function* drain(): AsyncGenerator<string, void, undefined> {
      while (!signal.aborted) {
        const [name] = names
        if (name !== undefined) {
          names.delete(name)
          yield name
        } else if (failure !== undefined) throw fail(failure)
        else await wake.wait(signal)
      }
    }
  }
}
