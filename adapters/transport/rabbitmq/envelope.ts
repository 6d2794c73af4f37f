import type { MessageAttributes } from '@node-ts/bus-messages'
import type { AsyncMessage, Envelope } from 'rabbitmq-client'
import type { MessageAsItCame } from '../../../src/core/message-reading.ts'
import type { MessageError } from '../../../src/core/message-error.ts'
import { encodingOf } from './bytes.ts'
import { LONGEST_NAME_BYTES } from './topology.ts'

/**
 * Headers of ours. Tries are counted here and not in `x-death`, which begins anew with every copy, which
 * others may send, and which RabbitMQ 4 does not take from clients.
 */
export const HEADER = {
  tries: 'longhaul-tries',
  failedAt: 'longhaul-failed-at',
  letter: 'longhaul-letter',
  errorName: 'longhaul-error-name',
  errorMessage: 'longhaul-error-message',
  errorStack: 'longhaul-error-stack',
} as const

/** A correlation id that is too long for its property, which the client would cut off. */
const LONG_CORRELATION_ID = 'correlationId'

const LONGEST_ERROR_TEXT = 4_000

/** A received message, as much of it as is looked at here. */
export type Received = Omit<AsyncMessage, 'body'> & { readonly body: Buffer }

export type Headers = Readonly<Record<string, unknown>>

/** How a new message is sent: as @node-ts/bus-rabbitmq does it, and persistent. */
export function newEnvelope(messageId: string, attributes?: MessageAttributes): Envelope {
  const { correlationId } = attributes ?? {}
  const fits = correlationId === undefined || fitsShortString(correlationId)
  return {
    messageId,
    durable: true,
    contentType: 'application/json',
    ...(correlationId !== undefined && fits && { correlationId }),
    headers: {
      attributes: JSON.stringify(attributes?.attributes ?? {}),
      stickyAttributes: JSON.stringify(attributes?.stickyAttributes ?? {}),
      ...(!fits && { [LONG_CORRELATION_ID]: correlationId }),
    },
  }
}

export function fitsShortString(text: string): boolean {
  return Buffer.byteLength(text) <= LONGEST_NAME_BYTES
}

/**
 * The same message once more, with these headers beside its own. Left out is what would make the broker
 * do something else with the copy: `userId` must be the sender's, `expiration` would end a dead letter,
 * `CC` and `BCC` send more copies; and what the broker itself has noted.
 */
export function copyEnvelope(message: Received, headers: Headers): Envelope {
  const { correlationId, messageId, timestamp, type, appId, replyTo, priority, contentType } =
    message
  const contentEncoding = encodingOf(message.contentEncoding)
  const kept = Object.entries(headersOf(message)).filter(([name]) => !isBrokersOwn(name))
  return {
    durable: true,
    ...(correlationId !== undefined && { correlationId }),
    ...(messageId !== undefined && { messageId }),
    ...(timestamp !== undefined && { timestamp }),
    ...(type !== undefined && { type }),
    ...(appId !== undefined && { appId }),
    ...(replyTo !== undefined && { replyTo }),
    ...(priority !== undefined && { priority }),
    ...(contentType !== undefined && { contentType }),
    ...(contentEncoding !== undefined && { contentEncoding }),
    headers: { ...Object.fromEntries(kept), ...headers },
  }
}

function isBrokersOwn(name: string): boolean {
  return /^(cc|bcc|x-death|x-(first|last)-death-.*|x-(delivery|acquired)-count)$/i.test(name)
}

export function headersOf(message: Pick<Received, 'headers'>): Headers {
  return message.headers ?? {}
}

/** The headers of a message that has failed at this time for the `tries`-th time. */
export function failureHeaders(message: Received, tries: number, at: Date): Headers {
  return { [HEADER.tries]: tries, [HEADER.failedAt]: [...failedAt(message), at.toISOString()] }
}

export function errorHeaders({ name, message, stack }: MessageError): Headers {
  const text = (value: string) => value.slice(0, LONGEST_ERROR_TEXT)
  return {
    [HEADER.errorName]: text(name),
    [HEADER.errorMessage]: text(message),
    ...(stack !== undefined && { [HEADER.errorStack]: text(stack) }),
  }
}

/** Takes all of ours away: the message is as if it had never been tried. */
export const UNTRIED: Headers = Object.fromEntries(
  Object.values(HEADER).map((name) => [name, undefined]),
)

/** Tries that have failed. Anyone may send such a header: what makes no sense is none. */
export function triesOf(message: Received): number {
  const tries = headersOf(message)[HEADER.tries]
  return typeof tries === 'number' && Number.isInteger(tries) && tries > 0 ? tries : 0
}

export function failedAt(message: Received): readonly string[] {
  const times = headersOf(message)[HEADER.failedAt]
  if (!Array.isArray(times)) return []
  return times.filter((time): time is string => typeof time === 'string').slice(-9)
}

/** A message as it came, for reading; a sentence where a header is not what it must be. */
export function asItCame(message: Received): MessageAsItCame | string {
  const all = headersOf(message)
  const texts: Record<string, string> = {}
  for (const name of ['attributes', 'stickyAttributes'] as const) {
    const value = all[name] ?? undefined // AMQP has a null
    if (value === undefined) continue
    if (typeof value !== 'string') return `the header ${name} is no JSON text`
    texts[name] = value
  }
  const long = all[LONG_CORRELATION_ID]
  const correlationId = message.correlationId ?? (typeof long === 'string' ? long : undefined)
  return {
    body: message.body,
    headers: { ...texts, ...(correlationId !== undefined && { correlationId }) },
  }
}
