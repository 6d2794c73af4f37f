import type { Logger } from '../../../src/ports/logger.ts'
import { engineApi } from './engine-api.ts'
import { type ImagePolicy, Images } from './images.ts'
import { SwarmScheduler } from './scheduler.ts'
import { SpecFacts } from './spec-facts.ts'
import { polledChanges } from './task-changes.ts'

export interface SwarmSchedulerOptions {
  /** The Docker socket of a manager. It need not answer yet. */
  readonly socket: string
  readonly installation: string
  readonly images: ImagePolicy
  readonly logger: Logger
}

/** Opens nothing but what each call opens: an engine that is away is `Unavailable` when it is asked. */
export function openSwarmScheduler(options: SwarmSchedulerOptions): SwarmScheduler {
  const { socket, installation, images, logger } = options
  const engine = engineApi(socket)
  return new SwarmScheduler({
    engine,
    installation,
    facts: new SpecFacts(engine, new Images(engine, images, logger)),
    changes: polledChanges(engine, installation),
    logger,
  })
}
