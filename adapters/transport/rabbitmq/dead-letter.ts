import { createHash } from 'node:crypto'
import type { MessageError } from '../../../src/core/message-error.ts'
import { nameOf, textOrBase64 } from '../../../src/core/message-reading.ts'
import type { DeadLetter } from '../../../src/ports/transport.ts'
import { asItCame, failedAt, HEADER, headersOf, type Received, triesOf } from './envelope.ts'

/** A message of the dead-letter queue, as it is shown; what others have put there included. */
export function deadLetterOf(message: Received): DeadLetter {
  const name = nameOf(message.body)
  const came = asItCame(message)
  return {
    ...(typeof came === 'string' ? {} : came.headers),
    ...(name !== undefined && { name }),
    id: letterId(message),
    messageId: message.messageId ?? '',
    at: buriedAt(message),
    tries: triesOf(message),
    error: errorOf(message),
    body: textOrBase64(message.body),
  }
}

/** Ours bear one; of what the broker brought there, the same content is the same letter. */
export function letterId(message: Received): string {
  const id = headersOf(message)[HEADER.letter]
  if (typeof id === 'string' && id !== '') return id
  return createHash('sha256')
    .update(JSON.stringify([message.messageId, message.timestamp, firstDeath(message)]))
    .update(message.body)
    .digest('hex')
    .slice(0, 32)
}

/** How often a quorum queue has brought it: at a limit it would drop it. */
export function deliveryCount(message: Received): number {
  const count = headersOf(message)['x-delivery-count']
  return typeof count === 'number' ? count : 0
}

function buriedAt(message: Received): Date {
  const last = new Date(failedAt(message).at(-1) ?? Number.NaN)
  if (!Number.isNaN(last.getTime())) return last
  const { time } = firstDeath(message)
  const seconds = typeof time === 'number' ? time : (message.timestamp ?? 0)
  return new Date(seconds * 1000)
}

function errorOf(message: Received): MessageError {
  const headers = headersOf(message)
  const text = (header: string) => {
    const value = headers[header]
    return typeof value === 'string' ? value : undefined
  }
  const name = text(HEADER.errorName)
  const stack = text(HEADER.errorStack)
  if (name !== undefined) {
    const words = text(HEADER.errorMessage) ?? ''
    return { name, message: words, ...(stack !== undefined && { stack }) }
  }
  const { reason } = firstDeath(message)
  if (reason === 'delivery_limit') {
    const words = 'it came again and again without being settled: its handler may end the process'
    return { name: 'DeliveryLimit', message: words }
  }
  const why = typeof reason === 'string' ? `the broker says ${reason}` : 'nobody says why'
  return { name: 'DeadLettered', message: why }
}

function firstDeath(message: Received): { readonly reason?: unknown; readonly time?: unknown } {
  const deaths = headersOf(message)['x-death']
  const [first] = Array.isArray(deaths) ? (deaths as unknown[]) : []
  return typeof first === 'object' && first !== null ? first : {}
}
