import type { EngineApi } from './engine-api.ts'
import type { NodeView } from './views.ts'

/** The swarm's nodes by id, read when asked for and kept until they are read again. */
export class Nodes {
  readonly #engine: EngineApi
  #known: ReadonlyMap<string, NodeView> = new Map()

  constructor(engine: EngineApi) {
    this.#engine = engine
  }

  /** As they were last read. */
  get known(): ReadonlyMap<string, NodeView> {
    return this.#known
  }

  async read(signal: AbortSignal): Promise<ReadonlyMap<string, NodeView>> {
    const nodes = await this.#engine.read<readonly NodeView[]>('/nodes', signal)
    this.#known = new Map(nodes.map((node) => [node.ID, node]))
    return this.#known
  }
}
