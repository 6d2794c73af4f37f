import type { MessageError } from '../core/message-error.ts'

export type { MessageError }

/** The embedded bus's queue: messages as they came, in the store. */
export interface MessageTable {
  put(message: NewMessage): Promise<void>

  /**
   * Due messages that nobody holds, oldest first. Each is held for `holdMs`; one that is not settled by
   * then comes again, with the same id and its tries.
   */
  claim(limit: number, holdMs: number): Promise<readonly HeldMessage[]>
  /** Holds what is still being handled for another `holdMs`. */
  renew(keys: readonly string[], holdMs: number): Promise<void>
  /** Handled: it is gone. */
  done(key: string): Promise<void>
  /** A try failed: due again at `dueAt`, with one try more. */
  retry(key: string, dueAt: Date, error: MessageError): Promise<void>
  /** Not tried: due again at once, tries as they were. */
  giveBack(key: string): Promise<void>
  /** A last try failed: to the dead letters. Nothing happens to one that lies there already or is gone. */
  bury(key: string, error: MessageError): Promise<void>
  /** The earliest time at which a message that nobody holds becomes due. */
  nextDue(): Promise<Date | undefined>

  deadLetters(query: { readonly limit: number; readonly cursor?: string }): Promise<{
    readonly letters: readonly StoredDeadLetter[]
    readonly next?: string
  }>
  deadLetter(key: string): Promise<StoredDeadLetter | undefined>
  /** Back to the queue with no tries; false where there is no such letter. */
  replay(key: string): Promise<boolean>
  drop(key: string): Promise<boolean>
}

export interface NewMessage {
  /** The message's own id, stable over redelivery. */
  readonly id: string
  /** As it came, whatever it is. */
  readonly body: Uint8Array
  readonly headers: MessageHeaders
}

interface MessageHeaders {
  readonly correlationId?: string
  /** JSON text, as the headers of a broker carry it. */
  readonly attributes?: string
  readonly stickyAttributes?: string
}

export interface HeldMessage extends NewMessage {
  /** The row's key: two messages may bear one id. */
  readonly key: string
  /** Tries that have failed. */
  readonly tries: number
}

export interface StoredDeadLetter extends HeldMessage {
  readonly at: Date
  readonly error: MessageError
}
