import { Unavailable } from '../../../src/core/errors.ts'
import { DENIED, type NomadApi } from './client/nomad-api.ts'
import type { NodeView } from './views.ts'

/**
 * The nodes as they were last listed: a node is down a moment before its allocations are told to be, and
 * of what was to stop there nothing more is told. A token that may not read them (`node:read`) sees none,
 * and goes by the allocations alone.
 */
export class Nodes {
  readonly #api: NomadApi
  #known: ReadonlyMap<string, NodeView> = new Map()

  constructor(api: NomadApi) {
    this.#api = api
  }

  get known(): ReadonlyMap<string, NodeView> {
    return this.#known
  }

  async read(signal: AbortSignal): Promise<ReadonlyMap<string, NodeView>> {
    try {
      const nodes = await this.#api.list<NodeView>('/v1/nodes', signal)
      this.#known = new Map(nodes.map((node) => [node.ID, node]))
    } catch (error) {
      if (!(error instanceof Unavailable) || error.code !== DENIED) throw error
      this.#known = new Map()
    }
    return this.#known
  }
}
