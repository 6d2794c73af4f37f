import { errorMessage } from '../../../src/core/errors.ts'
import type { ObservedExit } from '../../../src/core/exit.ts'
import type { Observation } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { completed } from '../completed.ts'
import type { EngineApi } from './engine-api.ts'
import { tailOf } from './logs.ts'
import type { Nodes } from './nodes.ts'
import type { SeenUnit } from './observe.ts'
import { isDown } from './sight.ts'
import type { TaskView } from './views.ts'

const LOG_TAIL_MS = 3_000
const MOST_AT_A_TIME = 8
const UNKNOWN_OOM = 'killed; whether its memory ran out is known to its own node alone'

type Ending = Pick<ObservedExit, 'reason' | 'message' | 'logTail'>

/**
 * What is worth knowing of an exit beside the swarm's own word: the end of the output, and whether a kill
 * was for want of memory. Asked for once for each task and kept as long as the task is.
 */
export class Endings {
  readonly #engine: EngineApi
  readonly #nodes: Nodes
  readonly #logger: Logger
  readonly #known = new Map<string, Promise<Partial<Ending>>>()
  #ownNode: Promise<string> | undefined

  constructor(parts: { engine: EngineApi; nodes: Nodes; logger: Logger }) {
    this.#engine = parts.engine
    this.#nodes = parts.nodes
    this.#logger = parts.logger
  }

  /**
   * The observations, those of exits with all that can be had in time. `Unavailable` where the signal is
   * aborted: an exit that is told is recorded, with what it has.
   */
  complete(units: readonly SeenUnit[], signal: AbortSignal): Promise<readonly Observation[]> {
    const how = { mostAtATime: MOST_AT_A_TIME, changedAt, signal }
    return completed(units, how, this.#complete.bind(this))
  }

  /** Forgets what belongs to none of these tasks. */
  keepOnly(tasks: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!tasks.has(id)) this.#known.delete(id)
  }

  async #complete(unit: SeenUnit, signal: AbortSignal): Promise<Observation> {
    const { observation, task } = unit
    if (observation.phase !== 'exited' || task === undefined) return observation
    const known = this.#known.get(task.ID)
    if (known === undefined && signal.aborted) return observation
    const asked = known ?? this.#ask(unit, task, observation.exit, signal)
    this.#known.set(task.ID, asked)
    const ending = await asked
    // What was given up is no answer, and is asked for again by whoever comes next.
    if (signal.aborted && this.#known.get(task.ID) === asked) this.#known.delete(task.ID)
    return { ...observation, exit: { ...observation.exit, ...ending } }
  }

  async #ask(
    { logTailBytes }: SeenUnit,
    task: TaskView,
    exit: ObservedExit,
    signal: AbortSignal,
  ): Promise<Partial<Ending>> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(LOG_TAIL_MS)])
    const [oom, logTail] = await Promise.all([
      this.#oom(task, exit, limited),
      this.#logTail(task, logTailBytes, limited),
    ])
    return { ...oom, ...(logTail !== '' && { logTail }) }
  }

  async #logTail(task: TaskView, bytes: number, signal: AbortSignal): Promise<string> {
    const container = task.Status.ContainerStatus?.ContainerID ?? ''
    // Nothing has run, or a node would have to be asked that does not answer.
    if (container === '' || isDown(this.#nodes.known.get(task.NodeID ?? ''))) return ''
    try {
      return await tailOf(this.#engine, task, bytes, signal)
    } catch (error) {
      this.#logger.debug('log-tail.failed', { task: task.ID, error: errorMessage(error) })
      return ''
    }
  }

  /** The swarm never says it; this engine knows it of its own containers. */
  async #oom(
    task: TaskView,
    { code, reason, message = '' }: ObservedExit,
    signal: AbortSignal,
  ): Promise<Partial<Ending>> {
    const container = task.Status.ContainerStatus?.ContainerID ?? ''
    if (reason !== 'killed' || code !== 137 || container === '') return {}
    try {
      this.#ownNode ??= this.#askOwnNode(signal)
      if ((await this.#ownNode) === task.NodeID) {
        const path = `/containers/${container}/json`
        const found = await this.#engine.find<ContainerView>(path, signal)
        if (found?.State?.OOMKilled === true) return { reason: 'oom', message }
        if (found !== undefined) return {}
      }
    } catch (error) {
      this.#ownNode = undefined
      this.#logger.debug('oom.unknown', { task: task.ID, error: errorMessage(error) })
    }
    return { message: [message, UNKNOWN_OOM].filter((text) => text !== '').join('; ') }
  }

  async #askOwnNode(signal: AbortSignal): Promise<string> {
    const { Swarm } = await this.#engine.read<{ Swarm?: { NodeID?: string } }>('/info', signal)
    return Swarm?.NodeID ?? ''
  }
}

/** In ms, by the clock of its node or of a manager. */
function changedAt({ task }: SeenUnit): number {
  return Date.parse(task?.Status.Timestamp ?? '') || 0
}

interface ContainerView {
  readonly State?: { readonly OOMKilled?: boolean }
}
