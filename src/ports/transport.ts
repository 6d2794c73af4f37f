import type { Transport } from '@node-ts/bus-core'
import type { MessageAttributes } from '@node-ts/bus-messages'
import type { JsonObject } from '../core/json.ts'
import type { MessageError } from '../core/message-error.ts'

/**
 * A bus-core transport as this daemon needs it. Beyond bus-core's own contract:
 *
 * - `readNextMessage` waits for the next message and resolves with undefined only on shutdown; it never
 *   throws for a message: what cannot be read goes to the dead letters at once.
 * - `returnMessage` pauses 1, 5, 25, 125, then 300 s and buries after the 10th try; `fail` buries at once.
 * - `deleteMessage` after `fail` does nothing.
 */
export interface MessageTransport extends Transport<RawMessage> {
  /** Receives these names from now on, beside those that it already receives. */
  subscribe(names: readonly string[]): Promise<void>

  /**
   * Hands a message over with an id of the caller's. Resolves once it is stored, or confirmed by the
   * broker; `Unavailable` where that is not to be had.
   */
  post(
    id: string,
    message: JsonObject & { readonly $name: string },
    attributes: MessageAttributes,
  ): Promise<void>

  /** Tells the transport why the message that it is about to get back has failed. */
  failed(raw: RawMessage, error: unknown): void

  readonly deadLetters: DeadLetters

  /** Calls the listener for every message that has gone to the dead letters, handled or unreadable. */
  onBuried(listener: () => void): void

  /** Resolves when messages can be sent, as far as is known, or the signal is aborted. */
  sendable?(signal: AbortSignal): Promise<void>

  /** Throws `Unavailable`, saying why, where messages can be neither had nor sent now. */
  check?(): Promise<void>
}

/** Plain data, so that bus-core's structured clones of it stay usable. */
export interface RawMessage {
  readonly delivery: string
  /** Tries that have failed before this one. */
  readonly tries: number
}

export interface DeadLetters {
  list(query: { readonly limit: number; readonly cursor?: string }): Promise<{
    readonly letters: readonly DeadLetter[]
    readonly next?: string
  }>
  show(id: string): Promise<DeadLetter | undefined>
  replay(id: string): Promise<boolean>
  drop(id: string): Promise<boolean>
}

export interface DeadLetter {
  readonly id: string
  readonly messageId: string
  /** Its `$name`, where it could be read. */
  readonly name?: string
  readonly at: Date
  readonly tries: number
  readonly error: MessageError
  readonly correlationId?: string
  readonly attributes?: string
  readonly stickyAttributes?: string
  /** As it came: text where it is UTF-8, else base64. */
  readonly body: { readonly encoding: 'utf8' | 'base64'; readonly data: string }
}
