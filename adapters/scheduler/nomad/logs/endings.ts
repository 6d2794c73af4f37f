import { errorMessage } from '../../../../src/core/errors.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import { completed } from '../../completed.ts'
import type { NomadApi } from '../client/nomad-api.ts'
import { hasStarted, tailOf } from './logs.ts'
import type { SeenUnit } from '../sight/sight.ts'
import { Turns } from './turns.ts'
import type { AllocationView } from '../views.ts'

/** From its turn on: what waited behind others for a node would be lost with them. */
const LOG_TAIL_MS = 3_000
/** Of which each asks for two outputs, over six connections. */
const MOST_AT_A_TIME = 3

/**
 * The end of the output of what is over. A node throws the files away when it needs the room
 * (`gc_max_allocs`), so it is asked for at once, once for each allocation, and kept as long as that is.
 */
export class Endings {
  readonly #api: NomadApi
  readonly #logger: Logger
  /** Of all calls together: a list and a watch have the same connections. */
  readonly #turns = new Turns(MOST_AT_A_TIME)
  /** Undefined: the ask was given up before there was an answer. */
  readonly #known = new Map<string, Promise<string | undefined>>()

  constructor(parts: { readonly api: NomadApi; readonly logger: Logger }) {
    this.#api = parts.api
    this.#logger = parts.logger
  }

  /**
   * The observations, those of exits with the end of the output where it can be had in time.
   * `Unavailable` where the signal is aborted: an exit that is told is recorded, with what it has.
   */
  complete(units: readonly SeenUnit[], signal: AbortSignal): Promise<readonly Observation[]> {
    // No more of a list wait for their turn than have one: it holds up what the stream tells by no more.
    const how = { mostAtATime: MOST_AT_A_TIME, changedAt, signal }
    return completed(units, how, this.#complete.bind(this))
  }

  /** Forgets what belongs to none of these allocations. */
  keepOnly(allocations: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!allocations.has(id)) this.#known.delete(id)
  }

  async #complete(
    { observation, allocation, logTailBytes }: SeenUnit,
    signal: AbortSignal,
  ): Promise<Observation> {
    if (observation.phase !== 'exited' || allocation === undefined) return observation
    // Nothing has run, or a node would have to be asked that does not answer.
    if (!hasStarted(allocation) || allocation.ClientStatus === 'lost') return observation
    const logTail = await this.#tailOf(allocation, logTailBytes, signal)
    if (logTail === '') return observation
    return { ...observation, exit: { ...observation.exit, logTail } }
  }

  /** A list and a watch may want the same: one asks, and where it gives up the other does. */
  async #tailOf(allocation: AllocationView, bytes: number, signal: AbortSignal): Promise<string> {
    for (;;) {
      const asked = this.#known.get(allocation.ID)
      if (asked === undefined && signal.aborted) return ''
      const tail = await (asked ?? this.#ask(allocation, bytes, signal))
      if (tail !== undefined) return tail
    }
  }

  #ask(
    allocation: AllocationView,
    bytes: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { ID } = allocation
    const asking = this.#turns
      .take(() => this.#askNow(allocation, bytes, signal), signal)
      .then((tail) => {
        if (tail === undefined && this.#known.get(ID) === asking) this.#known.delete(ID)
        return tail
      })
    this.#known.set(ID, asking)
    return asking
  }

  async #askNow(
    allocation: AllocationView,
    bytes: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LOG_TAIL_MS)])
    try {
      return await tailOf(this.#api, allocation, bytes, 'tails', limited)
    } catch (error) {
      if (signal.aborted) return undefined
      const said = { allocation: allocation.ID, error: errorMessage(error) }
      this.#logger.debug('log-tail.failed', said)
      return ''
    }
  }
}

/** Nomad's count of changes, of which the last one that an allocation sees is its end. */
function changedAt({ allocation }: SeenUnit): number {
  return allocation?.ModifyIndex ?? 0
}
