import { errorMessage } from '../../../src/core/errors.ts'
import type { Observation } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { NomadApi } from './client/nomad-api.ts'
import { hasStarted, tailOf } from './logs.ts'
import type { SeenUnit } from './sight.ts'
import type { AllocationView } from './views.ts'

const LOG_TAIL_MS = 3_000
/** Of one list: what has no tail by then is told without. */
const ALL_TOGETHER_MS = 10_000
/** Of which each asks for two outputs, over six connections. */
const MOST_AT_A_TIME = 3

/**
 * The end of the output of what is over. A node throws the files away when it needs the room
 * (`gc_max_allocs`), so it is asked for at once, once for each allocation, and kept as long as that is.
 */
export class Endings {
  readonly #api: NomadApi
  readonly #logger: Logger
  readonly #known = new Map<string, Promise<string>>()

  constructor(parts: { readonly api: NomadApi; readonly logger: Logger }) {
    this.#api = parts.api
    this.#logger = parts.logger
  }

  /** The observations, those of exits with the end of the output where it can be had in time. */
  async complete(units: readonly SeenUnit[], signal: AbortSignal): Promise<readonly Observation[]> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ALL_TOGETHER_MS)])
    const found: Observation[] = []
    const waiting = [...units.entries()]
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [i, unit] = next
        found[i] = await this.#complete(unit, limited)
      }
    }
    await Promise.all(Array.from({ length: MOST_AT_A_TIME }, work))
    return found
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
    const known = this.#known.get(allocation.ID)
    if (known === undefined && signal.aborted) return observation
    const asked = known ?? this.#ask(allocation, logTailBytes, signal)
    this.#known.set(allocation.ID, asked)
    const logTail = await asked
    if (logTail === '') return observation
    return { ...observation, exit: { ...observation.exit, logTail } }
  }

  async #ask(allocation: AllocationView, bytes: number, signal: AbortSignal): Promise<string> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LOG_TAIL_MS)])
    try {
      return await tailOf(this.#api, allocation, bytes, limited)
    } catch (error) {
      const said = { allocation: allocation.ID, error: errorMessage(error) }
      this.#logger.debug('log-tail.failed', said)
      return ''
    }
  }
}
