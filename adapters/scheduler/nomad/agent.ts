import { Unavailable } from '../../../src/core/errors.ts'
import { refusal, type NomadApi } from './client/nomad-api.ts'
import { parseVersion, type NomadVersion } from './version.ts'

/** An upgraded agent is known as such after so long. */
const KNOWN_FOR_MS = 60_000

interface SelfView {
  readonly config?: {
    readonly Region?: string
    readonly Version?: { readonly Version?: string; readonly VersionMetadata?: string }
  }
}

export interface AgentView {
  readonly version: NomadVersion
  readonly region: string
}

/** The agent that is spoken to. It passes on to the servers no more than its own release knows of a job. */
export class NomadAgent {
  readonly #api: NomadApi
  #known: { readonly agent: AgentView; readonly at: number } | undefined

  constructor(api: NomadApi) {
    this.#api = api
  }

  /** As it was told within the last minute. `Unavailable`, also where the token may not ask (`agent:read`). */
  async view(signal: AbortSignal): Promise<AgentView> {
    if (this.#known !== undefined && performance.now() - this.#known.at < KNOWN_FOR_MS) {
      return this.#known.agent
    }
    const agent = await readAgent(this.#api, signal)
    this.#known = { agent, at: performance.now() }
    return agent
  }
}

export async function readAgent(api: NomadApi, signal: AbortSignal): Promise<AgentView> {
  const path = '/v1/agent/self'
  const answer = await api.call('GET', path, { signal })
  if (answer.status !== 200) throw refusal(`GET ${path} (agent:read)`, answer)
  const { config } = (answer.body ?? {}) as SelfView
  const { Version: text = '', VersionMetadata: metadata = '' } = config?.Version ?? {}
  const version = parseVersion(metadata === '' ? text : `${text}+${metadata}`)
  if (version === undefined) {
    throw new Unavailable('nomad', `GET ${path}: the version '${text}' is none of Nomad's`)
  }
  return { version, region: config?.Region ?? '' }
}
