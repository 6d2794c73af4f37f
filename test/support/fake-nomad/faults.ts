import type { Answer, Request } from './routes/route.ts'

/** Errors that are answered in place of what would be, for as long as a test wants them. */
export class Faults {
  readonly #active = new Set<Fault>()

  /** To calls that fit, or to all; `times` at most. Ends when it is disposed of. */
  answer(
    status: number,
    body: string,
    of: { readonly call?: RegExp; readonly times?: number } = {},
  ): Disposable {
    const fault: Fault = { status, body, call: of.call ?? /./, left: of.times ?? Infinity }
    this.#active.add(fault)
    return {
      [Symbol.dispose]: () => {
        this.#active.delete(fault)
      },
    }
  }

  of({ method, path }: Request): Answer | undefined {
    for (const fault of this.#active) {
      if (fault.left <= 0 || !fault.call.test(`${method} ${path}`)) continue
      fault.left -= 1
      return { status: fault.status, body: fault.body }
    }
    return undefined
  }
}

interface Fault {
  readonly status: number
  readonly body: string
  readonly call: RegExp
  left: number
}
