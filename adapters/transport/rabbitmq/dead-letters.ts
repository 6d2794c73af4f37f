import { AMQPError, type Channel, type Connection } from 'rabbitmq-client'
import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { DeadLetter, DeadLetters } from '../../../src/ports/transport.ts'
import { keepBytes } from './bytes.ts'
import { deadLetterOf, deliveryCount, letterId } from './dead-letter.ts'
import { declare } from './declare.ts'
import { copyEnvelope, type Received, UNTRIED } from './envelope.ts'
import { within } from './limit.ts'
import type { ConfirmingPublisher } from './publisher.ts'
import { deadLetterName, deadLetterQueue, type ServiceQueue } from './topology.ts'

/** The oldest so many are looked at; the newer ones come into sight as these go. */
const WINDOW = 500
const WINDOW_BYTES = 16 * 1024 * 1024
/** The queue is taken to have no more when nothing has come for so long, though it said that it had. */
const QUIET_MS = 500
/** And for so long after all that it said: what another look has just let fall may come behind. */
const LATE_MS = 20
const LIMIT_MS = 10_000
const BUSY_PAUSE_MS = 50
/**
 * A look counts as a delivery, and RabbitMQ 4 drops what a quorum queue has delivered more than 20
 * times: from this count on a letter is written anew.
 */
const OFTEN_DELIVERED = 8

interface Parts {
  readonly service: ServiceQueue
  readonly connection: Connection
  readonly publisher: ConfirmingPublisher
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The letters in `<queue>-dead-letter`. AMQP knows no looking: each call takes the window's letters
 * without acknowledging them and lets them fall back, so it costs their transfer. One looks at a time.
 */
export function rabbitmqDeadLetters(parts: Parts): DeadLetters {
  const { service, publisher } = parts
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(act: (letters: readonly Taken[]) => Promise<T>): Promise<T> => {
    const looking = last.then(() => look(parts, act))
    // Who asked hears of its failure; the next one has its own.
    last = looking.catch(() => undefined)
    return looking
  }
  const find = <T>(id: string, act: (found: Taken) => Promise<T>): Promise<T | undefined> =>
    inTurn(async (letters) => {
      const found = letters.find(({ message }) => letterId(message) === id)
      return found && act(found)
    })
  const remove = async (taken: Taken): Promise<true> => {
    acknowledge(taken)
    // Answered after the acknowledgement: only then it is gone.
    await taken.channel.basicQos({ prefetchCount: WINDOW })
    return true
  }
  return {
    async list({ limit, cursor }) {
      const letters = (await inTurn((taken) => Promise.resolve(taken)))
        .map(({ message }) => deadLetterOf(message))
        .sort((a, b) => (placeOf(a) < placeOf(b) ? 1 : -1))
        .filter((letter) => cursor === undefined || placeOf(letter) < cursor)
      const page = letters.slice(0, limit)
      const last = letters.length > limit ? page.at(-1) : undefined
      return { letters: page, ...(last !== undefined && { next: placeOf(last) }) }
    },
    show: (id) => find(id, ({ message }) => Promise.resolve(deadLetterOf(message))),
    replay: async (id) =>
      (await find(id, async (found) => {
        const { message } = found
        await publisher.toQueue(service.queue, copyEnvelope(message, UNTRIED), message.body)
        return remove(found)
      })) ?? false,
    drop: async (id) => (await find(id, remove)) ?? false,
  }
}

interface Taken {
  readonly message: Received
  readonly channel: Channel
  gone: boolean
}

function acknowledge(taken: Taken): void {
  taken.channel.basicAck({ deliveryTag: taken.message.deliveryTag })
  taken.gone = true
}

/** Where a letter stands, newest last; text that sorts as it does. */
function placeOf({ at, id }: DeadLetter): string {
  return `${at.toISOString()} ${id}`
}

async function look<T>(parts: Parts, act: (letters: readonly Taken[]) => Promise<T>): Promise<T> {
  const { connection, publisher, clock } = parts
  // Letters that came too often could not be written anew.
  if (!publisher.ready) throw new Unavailable('broker-unavailable', 'the broker takes no messages')
  return within(LIMIT_MS, clock, 'the dead letters were not there', async (signal) => {
    try {
      return await underLock(parts, signal, () =>
        onChannel(connection, (channel) => lookOn(parts, channel, signal, act)),
      )
    } catch (error) {
      if (!(error instanceof AMQPError)) throw error
      throw new Unavailable('broker-unavailable', errorMessage(error), error)
    }
  })
}

async function lookOn<T>(
  parts: Parts,
  channel: Channel,
  signal: AbortSignal,
  act: (letters: readonly Taken[]) => Promise<T>,
): Promise<T> {
  const letters = await take(parts, channel, signal)
  try {
    const result = await act(letters)
    await writeAnew(parts, letters)
    return result
  } finally {
    // All that is not acknowledged, before the next look is let in.
    if (channel.active) channel.basicNack({ deliveryTag: 0, multiple: true, requeue: true })
  }
}

/**
 * One connection looks at a time, over all daemons: a queue that is exclusive to its connection is the
 * lock, and goes with it. (An exclusive consumer would be none: quorum queues let others in beside it.)
 */
async function underLock<T>(
  { service, connection, clock }: Parts,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  const queue = `${deadLetterName(service.queue)}-look`
  for (;;) {
    try {
      return await onChannel(connection, async (channel) => {
        await channel.queueDeclare({
          queue,
          exclusive: true,
          autoDelete: true,
          arguments: { 'x-queue-type': 'classic' },
        })
        try {
          return await run()
        } finally {
          if (channel.active) await channel.queueDelete({ queue })
        }
      })
    } catch (error) {
      const locked = error instanceof AMQPError && error.code === 'RESOURCE_LOCKED'
      if (!locked || signal.aborted) throw error
    }
    await clock.sleep(BUSY_PAUSE_MS * (1 + Math.random()), signal)
  }
}

async function onChannel<T>(
  connection: Connection,
  run: (channel: Channel) => Promise<T>,
): Promise<T> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  // What ends the channel ends a call on it as well, and is told there.
  channel.on('error', () => undefined)
  try {
    return await run(channel)
  } finally {
    await channel.close()
  }
}

async function take(
  { service, connection, clock }: Parts,
  channel: Channel,
  signal: AbortSignal,
): Promise<readonly Taken[]> {
  keepBytes(channel)
  const queue = deadLetterName(service.queue)
  const taken: Taken[] = []
  let bytes = 0
  let arrivals = 0
  let arrived = new AbortController()
  channel.once('close', () => {
    arrived.abort()
  })
  const declared = { exchanges: [], queues: [deadLetterQueue(service)], bindings: [] }
  await declare(connection, declared)
  const { messageCount } = await channel.queueDeclare({ queue, passive: true })
  await channel.basicQos({ prefetchCount: WINDOW })
  const { consumerTag } = await channel.basicConsume({ queue }, (message) => {
    arrivals += 1
    // What is beyond the window's bytes is not held on to, and falls back with the others.
    bytes += (message.body as Buffer).byteLength
    if (bytes <= WINDOW_BYTES) taken.push({ message: message, channel, gone: false })
    arrived.abort()
  })
  for (let before = -1; before < arrivals && channel.active && !signal.aborted;) {
    before = arrivals
    if (arrivals >= WINDOW || bytes > WINDOW_BYTES) break
    arrived = new AbortController()
    const quietMs = arrivals < messageCount ? QUIET_MS : LATE_MS
    await clock.sleep(quietMs, AbortSignal.any([arrived.signal, signal]))
  }
  if (channel.active) await channel.basicCancel(consumerTag)
  return taken
}

async function writeAnew(parts: Parts, letters: readonly Taken[]): Promise<void> {
  const { service, publisher, logger } = parts
  const often = letters.filter(
    ({ message, gone }) => !gone && deliveryCount(message) >= OFTEN_DELIVERED,
  )
  for (const letter of often) {
    const { message, channel } = letter
    try {
      if (!channel.active) return
      await publisher.toQueue(
        deadLetterName(service.queue),
        copyEnvelope(message, {}),
        message.body,
      )
      acknowledge(letter)
    } catch (error) {
      // What was asked for is done, and the next look comes back to this.
      logger.warn('dead-letter.not-renewed', { error: errorMessage(error) })
      return
    }
  }
}
