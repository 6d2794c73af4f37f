import { Unavailable } from '../../../../src/core/errors.ts'

/** Each holds two connections for as long as it likes; there are 24 for logs. */
const MOST = 10

/** How many follow a log at the moment: one more is refused at once, where it would wait unseen. */
export class Followers {
  #count = 0

  get areMost(): boolean {
    return this.#count >= MOST
  }

  /**
   * A place, free again when it is disposed of or the signal is aborted: a stream that was left may
   * never be asked again, and does not come to its end then.
   */
  enter(signal: AbortSignal): Disposable {
    if (this.areMost) {
      const message = `${MOST} logs are followed already, which is the most: come again when one of them has been left, or read this one without following it`
      throw new Unavailable('too-many-followers', message)
    }
    this.#count += 1
    let isIn = true
    const leave = () => {
      if (!isIn) return
      isIn = false
      this.#count -= 1
      signal.removeEventListener('abort', leave)
    }
    signal.addEventListener('abort', leave)
    return { [Symbol.dispose]: leave }
  }
}
