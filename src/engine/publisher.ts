import { errorMessage, Rejected, Unavailable } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventLog, LoggedEvent } from '../ports/event-log.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { MessageTransport } from '../ports/transport.ts'
import { aborted } from './aborted.ts'
import type { Bell } from './bell.ts'

const BATCH = 64
/** Longer than a transport tries: what a killed replica had claimed goes out when it is over. */
const HOLD_MS = 15_000
const LONGEST_PAUSE_MS = 5_000

/**
 * Brings events from the outbox to the bus: for each task only its oldest unsent one, so that they leave
 * in order; marked once the transport has confirmed, so that a crash repeats one and loses none. It must
 * be started outside every message handler: what a handler's context publishes is lost (bus-core).
 *
 * Resolves when the signal is aborted and what was under way has ended.
 */
export async function runPublisher(deps: {
  readonly events: EventLog
  readonly transport: Pick<MessageTransport, 'publish' | 'sendable'>
  readonly bell: Bell
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
  readonly signal: AbortSignal
}): Promise<void> {
  const { events, transport, bell, clock, logger, meter, signal } = deps
  let pauses = 0

  /** What kept it from being published, if anything did. */
  async function publish(event: LoggedEvent): Promise<unknown> {
    try {
      await transport.publish(event.message as never, {
        ...(event.correlationId !== undefined && { correlationId: event.correlationId }),
        attributes: { ...event.attributes },
        stickyAttributes: { ...event.stickyAttributes },
      })
    } catch (error) {
      return error
    }
    if (event.name === 'longhaul/task-exited') {
      meter.exitPublished((clock.now().getTime() - event.at.getTime()) / 1000)
    }
    return undefined
  }

  /** Whether there may be more at once. */
  async function publishBatch(): Promise<boolean> {
    const batch = await events.claim(BATCH, HOLD_MS)
    if (batch.length === 0) return false
    const tried = await Promise.all(
      batch.map(async (event) => ({ event, failure: await publish(event) })),
    )
    const sent = tried.filter(({ failure }) => failure === undefined)
    await events.markSent(seqsOf(sent), clock.now())
    const away = tried.filter(
      ({ failure }) => failure !== undefined && !(failure instanceof Rejected),
    )
    const [first] = away
    if (sent.length === 0 && first !== undefined) {
      await events.giveBack(seqsOf(away))
      const why = errorMessage(first.failure)
      throw new Unavailable(
        'bus-unavailable',
        `${away.length} events could not be published: ${why}`,
      )
    }
    // What is refused, or fails among others, stays held and comes again when that is over: given back
    // it would be the first of the next batch, and enough of it would leave no room for anything else.
    for (const { event, failure } of tried) {
      if (failure === undefined) continue
      const { name, taskId } = event
      logger.warn('event.unpublished', { name, taskId, error: errorMessage(failure) })
    }
    return true
  }

  while (!signal.aborted) {
    try {
      // Nothing is claimed while the transport is away: another replica's may not be.
      await transport.sendable?.(signal)
      if (aborted(signal)) break
      const more = await publishBatch()
      pauses = 0
      if (!more) await bell.wait(clock, Number.POSITIVE_INFINITY, signal)
    } catch (error) {
      pauses += 1
      const pauseMs = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(pauses, 10))
      logger.warn('publisher.paused', { pauseMs, error: errorMessage(error) })
      await clock.sleep(pauseMs, signal)
    }
  }
}

function seqsOf(tried: readonly { readonly event: LoggedEvent }[]): string[] {
  return tried.map(({ event }) => event.seq)
}
