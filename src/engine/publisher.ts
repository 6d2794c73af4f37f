import { errorMessage } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventLog, LoggedEvent } from '../ports/event-log.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { MessageTransport } from '../ports/transport.ts'
import type { Bell } from './bell.ts'

const BATCH = 64
const HOLD_MS = 30_000
const LONGEST_PAUSE_MS = 30_000

/**
 * Brings events from the outbox to the bus: for each task only its oldest unsent one, so that they leave
 * in order; marked once the transport has confirmed, so that a crash repeats one and loses none. It must
 * be started outside every message handler: what a handler's context publishes is lost (bus-core).
 *
 * Resolves when the signal is aborted and what was under way has ended.
 */
export async function runPublisher(deps: {
  readonly events: EventLog
  readonly transport: Pick<MessageTransport, 'publish'>
  readonly bell: Bell
  readonly clock: Clock
  readonly logger: Logger
  readonly meter: Meter
  readonly signal: AbortSignal
}): Promise<void> {
  const { events, transport, bell, clock, logger, meter, signal } = deps
  let failures = 0

  async function publish(event: LoggedEvent): Promise<boolean> {
    try {
      await transport.publish(event.message as never, {
        ...(event.correlationId !== undefined && { correlationId: event.correlationId }),
        attributes: { ...event.attributes },
        stickyAttributes: { ...event.stickyAttributes },
      })
    } catch (error) {
      logger.warn('event.unpublished', {
        name: event.name,
        taskId: event.taskId,
        error: errorMessage(error),
      })
      return false
    }
    if (event.name === 'longhaul/task-exited') {
      meter.exitPublished((clock.now().getTime() - event.at.getTime()) / 1000)
    }
    return true
  }

  /** Whether there may be more at once. */
  async function publishBatch(): Promise<boolean> {
    const batch = await events.claim(BATCH, HOLD_MS)
    if (batch.length === 0) return false
    const sent = await Promise.all(batch.map(publish))
    const seqs = (wanted: boolean) => batch.filter((_, i) => sent[i] === wanted).map((e) => e.seq)
    await events.markSent(seqs(true), clock.now())
    const unsent = seqs(false)
    // Some that fail among others stay held, and come again when that is over; all of them: the
    // transport is away.
    if (unsent.length < batch.length) return true
    await events.giveBack(unsent)
    throw new Error(`none of ${batch.length} events could be published`)
  }

  while (!signal.aborted) {
    try {
      const more = await publishBatch()
      failures = 0
      if (!more) await bell.wait(clock, Number.POSITIVE_INFINITY, signal)
    } catch (error) {
      failures += 1
      const pauseMs = Math.min(LONGEST_PAUSE_MS, 100 * 2 ** Math.min(failures, 10))
      logger.warn('publisher.paused', { pauseMs, error: errorMessage(error) })
      await clock.sleep(pauseMs, signal)
    }
  }
}
