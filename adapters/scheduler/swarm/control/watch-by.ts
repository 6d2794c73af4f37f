import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import type { TaskChange, TaskChanges } from '../task-changes.ts'
import { Wake } from '../../wake.ts'

const RETRY_MS = 15_000

/**
 * Changes by the control socket, and by listing as long as that one fails. The way back ends the stream:
 * whoever watches comes again and lists, so that nothing is missed in between. The log says which of
 * them it is, whenever it is another.
 */
export function changesBy(ways: {
  /** None where no control socket is configured. */
  readonly control: TaskChanges | undefined
  readonly listing: TaskChanges
  readonly logger: Logger
  /** How long listing goes on before the control socket is tried again. */
  readonly retryMs?: number
}): TaskChanges {
  const { control, listing, logger, retryMs = RETRY_MS } = ways
  let by: 'control' | 'listing' | undefined

  const use = (way: 'control' | 'listing', error?: string): void => {
    if (by === way) return
    by = way
    if (error === undefined) logger.info('watch.by', { by })
    else logger.warn('watch.by', { by, error })
  }

  return async (signal) => {
    if (control === undefined) {
      const changes = await listing(signal)
      use('listing')
      return changes
    }
    try {
      const changes = await control(signal)
      use('control')
      return changes
    } catch (error) {
      if (signal.aborted) throw error
      const ended = new AbortController()
      const changes = await listing(AbortSignal.any([signal, ended.signal]))
      use('listing', errorMessage(error))
      return untilAnswers({ control, changes, ended, logger, signal, retryMs })
    }
  }
}

/** The changes until the control socket can be subscribed to. */
async function* untilAnswers(parts: {
  readonly control: TaskChanges
  readonly changes: AsyncIterable<TaskChange>
  /** Ends the changes. */
  readonly ended: AbortController
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly retryMs: number
}): AsyncGenerator<TaskChange, void, undefined> {
  const { control, changes, ended, logger, signal, retryMs } = parts
  const until = AbortSignal.any([signal, ended.signal])
  const trying = (async () => {
    for (;;) {
      await new Wake().wait(until, retryMs)
      if (until.aborted) return
      if (await canSubscribe(control, logger, until)) ended.abort()
    }
  })()
  try {
    yield* changes
    // Tells the way back from an end that was asked for.
    if (ended.signal.aborted && !signal.aborted) {
      throw new Unavailable('watch', 'the control socket answers again: the watch goes on by it')
    }
  } finally {
    ended.abort()
    await trying
  }
}

async function canSubscribe(
  control: TaskChanges,
  logger: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const tried = new AbortController()
  try {
    await control(AbortSignal.any([signal, tried.signal]))
    return true
  } catch (error) {
    logger.debug('watch.control-away', { error: errorMessage(error) })
    return false
  } finally {
    tried.abort()
  }
}
