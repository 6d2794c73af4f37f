import type { Logger } from '../../../src/ports/logger.ts'
import { NomadAgent } from './agent.ts'
import { nomadApi } from './client/nomad-api.ts'
import { type NomadSettings, targetOf } from './client/target.ts'
import { NomadScheduler } from './scheduler.ts'

export interface NomadSchedulerOptions {
  readonly settings: NomadSettings
  /** Says what the settings leave out, in the variables of Nomad's own client. */
  readonly env: NodeJS.ProcessEnv
  readonly installation: string
  readonly logger: Logger
}

/**
 * Opens nothing but what each call opens: a Nomad that is away is `Unavailable` when it is asked.
 * `Rejected` for an address that cannot be one.
 */
export function openNomadScheduler(options: NomadSchedulerOptions): NomadScheduler {
  const { settings, env, installation, logger } = options
  const api = nomadApi(targetOf(settings, env))
  return new NomadScheduler({ api, installation, agent: new NomadAgent(api), logger })
}
