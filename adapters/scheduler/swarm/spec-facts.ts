import type { UnitSpec } from '../../../src/core/unit.ts'
import { usableApi } from './check.ts'
import type { EngineApi } from './engine-api.ts'
import type { Images } from './images.ts'
import type { SwarmFacts } from './spec/draft.ts'
import { type GrantKind, grantsOf } from './spec/grants.ts'

/** What of the swarm and the registry goes into the spec of a unit. */
export class SpecFacts {
  readonly #engine: EngineApi
  readonly #images: Images

  constructor(engine: EngineApi, images: Images) {
    this.#engine = engine
    this.#images = images
  }

  /** `Rejected` for an image that may not run, `Unavailable` on an engine that is too old. */
  async of(
    unit: UnitSpec,
    signal: AbortSignal,
  ): Promise<{ readonly facts: SwarmFacts; readonly registryAuth?: string }> {
    const [version, secretIds, configIds, { image, registryAuth }] = await Promise.all([
      this.#engine.read<{ ApiVersion: string }>('/version', signal),
      this.#ids(unit, 'secrets', signal),
      this.#ids(unit, 'configs', signal),
      this.#images.of(unit),
    ])
    return {
      facts: { api: usableApi(version.ApiVersion), image, secretIds, configIds },
      ...(registryAuth !== undefined && { registryAuth }),
    }
  }

  /** The ids of what the unit is given; the engine's filter also finds names that only begin so. */
  async #ids(
    { service }: UnitSpec,
    kind: GrantKind,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const name = [...new Set(grantsOf(service, kind).map((grant) => grant.name))]
    if (name.length === 0) return new Map()
    const found = await this.#engine.read<readonly NamedView[]>(`/${kind}`, signal, {
      filters: JSON.stringify({ name }),
    })
    return new Map(found.map(({ ID, Spec }) => [Spec.Name, ID]))
  }
}

interface NamedView {
  readonly ID: string
  readonly Spec: { readonly Name: string }
}
