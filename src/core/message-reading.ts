import type { Message, MessageAttributes } from '@node-ts/bus-messages'
import { errorMessage } from './errors.ts'
import { isJsonObject } from './json.ts'
import type { MessageError } from './message-error.ts'

/** A message as it came, with the headers that transports carry. */
export interface MessageAsItCame {
  readonly body: Uint8Array
  readonly headers: {
    readonly correlationId?: string
    /** JSON text. */
    readonly attributes?: string
    readonly stickyAttributes?: string
  }
}

export type Reading =
  | { readonly message: Message; readonly attributes: MessageAttributes }
  | { readonly unreadable: MessageError }

/**
 * A message as bus-core may be given it. Its registry looks names up in a plain object, so a
 * message called `constructor`, or one that is null, breaks it at every try: what is no object with a
 * name of its own, or has headers that are no JSON objects of plain values, is not let through.
 */
export function readMessage(
  stored: MessageAsItCame,
  deserialize: (text: string) => Message,
): Reading {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(stored.body)
    const fault = faultOfBody(JSON.parse(text))
    if (fault !== undefined) return unreadable(fault)
    const { correlationId, attributes, stickyAttributes } = stored.headers
    return {
      message: deserialize(text),
      attributes: {
        ...(correlationId !== undefined && { correlationId }),
        attributes: headerOf('attributes', attributes),
        stickyAttributes: headerOf('stickyAttributes', stickyAttributes),
      },
    }
  } catch (error) {
    return unreadable(errorMessage(error))
  }
}

/** The name of a message, where its body can be read that far. */
export function nameOf(body: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    return isJsonObject(value) && typeof value['$name'] === 'string' ? value['$name'] : undefined
  } catch {
    return undefined // no JSON, so it has no name: dead letters may be anything
  }
}

/** Text where it is UTF-8, byte order mark included, else base64. */
export function textOrBase64(body: Uint8Array): {
  readonly encoding: 'utf8' | 'base64'
  readonly data: string
} {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    return { encoding: 'utf8', data: text }
  } catch {
    // No UTF-8. btoa takes one character a byte.
    const data = btoa(Array.from(body, (byte) => String.fromCharCode(byte)).join(''))
    return { encoding: 'base64', data }
  }
}

function faultOfBody(value: unknown): string | undefined {
  if (!isJsonObject(value)) return 'the message is no JSON object'
  const name = Object.hasOwn(value, '$name') ? value['$name'] : undefined
  if (typeof name !== 'string' || name === '') return 'the message has no $name'
  if (name in Object.prototype) return `no message may be called ${name}`
  return undefined
}

function headerOf(header: string, text: string | undefined): MessageAttributes['attributes'] {
  if (text === undefined) return {}
  const value: unknown = JSON.parse(text)
  if (!isJsonObject(value) || !Object.values(value).every(isPlain)) {
    throw new SyntaxError(`the header ${header} is no JSON object of strings, numbers and booleans`)
  }
  return value as MessageAttributes['attributes']
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function unreadable(message: string): Reading {
  return { unreadable: { name: 'UnreadableMessage', message } }
}
