import { RETRY_PAUSES_MS } from '../../../src/core/retry-pauses.ts'

/** Names are short strings in AMQP, and the client cuts off without a word. */
export const LONGEST_NAME_BYTES = 255

export interface Topology {
  readonly exchanges: readonly { readonly name: string; readonly type: 'direct' | 'fanout' }[]
  readonly queues: readonly DeclaredQueue[]
  readonly bindings: readonly {
    readonly queue: string
    readonly exchange: string
    readonly routingKey: string
  }[]
}

export interface DeclaredQueue {
  readonly name: string
  readonly arguments: Readonly<Record<string, string | number>>
}

export interface ServiceQueue {
  readonly queue: string
  readonly quorum: boolean
}

/**
 * What the service has of its own, beside the exchanges of its messages: a queue, the direct exchange of
 * its name that leads there (both as @node-ts/bus-rabbitmq has them), a queue for each pause, where
 * messages wait until their time is over and the broker brings them back, and the dead letters.
 *
 * Quorum queues dead-letter at least once, which takes `reject-publish`. Their limit of deliveries (20
 * by default from 4.0 on) is left alone and ends in the dead letters: `x-delivery-limit: -1` lifts it on
 * 4.x, but to 3.x it is 0, and the first message to come back is dropped (3.10.8, seen).
 */
export function serviceTopology({ queue, quorum }: ServiceQueue): Topology {
  const type = queueType(quorum)
  const deadLettering = (exchange: string, routingKey: string): DeclaredQueue['arguments'] => ({
    'x-dead-letter-exchange': exchange,
    'x-dead-letter-routing-key': routingKey,
    ...(quorum && { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' }),
  })
  return {
    exchanges: [{ name: queue, type: 'direct' }],
    queues: [
      deadLetterQueue({ queue, quorum }),
      { name: queue, arguments: { ...type, ...deadLettering('', deadLetterName(queue)) } },
      ...RETRY_PAUSES_MS.map((pauseMs) => ({
        name: retryName(queue, pauseMs),
        arguments: { ...type, 'x-message-ttl': pauseMs, ...deadLettering(queue, '') },
      })),
    ],
    bindings: [{ queue, exchange: queue, routingKey: '' }],
  }
}

export function deadLetterQueue({ queue, quorum }: ServiceQueue): DeclaredQueue {
  return {
    name: deadLetterName(queue),
    arguments: queueType(quorum),
  }
}

/** Said for both: a virtual host may have a default of its own. */
function queueType(quorum: boolean): DeclaredQueue['arguments'] {
  return { 'x-queue-type': quorum ? 'quorum' : 'classic' }
}

/** The exchanges of the messages that the service receives, bound to its queue. */
export function receivedTopology(queue: string, names: readonly string[]): Topology {
  return {
    exchanges: names.map((name) => ({ name, type: 'fanout' })),
    queues: [],
    bindings: names.map((exchange) => ({ queue, exchange, routingKey: '' })),
  }
}

/** The exchange of the messages of a name that are only sent. */
export function fanout(name: string): Topology {
  return { exchanges: [{ name, type: 'fanout' }], queues: [], bindings: [] }
}

export function deadLetterName(queue: string): string {
  return `${queue}-dead-letter`
}

export function retryName(queue: string, pauseMs: number): string {
  return `${queue}-retry-${pauseMs / 1000}s`
}

/** The pause that there is a queue for, nearest to the one wished for. */
export function nearestPauseMs(wishMs: number): number {
  return RETRY_PAUSES_MS.reduce<number>(
    (nearest, pauseMs) =>
      Math.abs(pauseMs - wishMs) < Math.abs(nearest - wishMs) ? pauseMs : nearest,
    RETRY_PAUSES_MS[0],
  )
}
