import type { Logger } from '../../../src/ports/logger.ts'
import { checkControl } from './control/check-control.ts'
import { controlChanges } from './control/control-changes.ts'
import { changesBy } from './control/watch-by.ts'
import { engineApi } from './engine-api.ts'
import { type ImagePolicy, Images } from './images.ts'
import { SwarmScheduler } from './scheduler.ts'
import { SpecFacts } from './spec-facts.ts'
import { polledChanges } from './task-changes.ts'

export interface SwarmSchedulerOptions {
  /** The Docker socket of a manager. It need not answer yet. */
  readonly socket: string
  /** A manager's control socket, or the folder that it is in; without it, watching is listing. */
  readonly controlSocket?: string
  readonly installation: string
  readonly images: ImagePolicy
  readonly logger: Logger
}

/** Opens nothing but what each call opens: an engine that is away is `Unavailable` when it is asked. */
export function openSwarmScheduler(options: SwarmSchedulerOptions): SwarmScheduler {
  const { socket, controlSocket: control, installation, images, logger } = options
  const engine = engineApi(socket)
  const knownImages = new Images(engine, images, logger)
  return new SwarmScheduler({
    engine,
    installation,
    images: knownImages,
    facts: new SpecFacts(engine, knownImages),
    changes: changesBy({
      control: control === undefined ? undefined : controlChanges(control, engine, installation),
      listing: polledChanges(engine, installation),
      logger,
    }),
    ...(control !== undefined && {
      checkControl: (signal) => checkControl(control, installation, signal),
    }),
    logger,
  })
}
