import type { EventDraft } from '../core/change.ts'

/** The outbox and the log of what happened: one table, written by the transitions themselves. */
export interface EventLog {
  /**
   * The oldest unsent event of each task (and those of none), oldest first, none of which another
   * publisher holds. They are held until marked, given back, or `holdMs` has passed.
   */
  claim(limit: number, holdMs: number): Promise<readonly LoggedEvent[]>
  /** The transport has confirmed it. */
  markSent(seqs: readonly string[], at: Date): Promise<void>
  giveBack(seqs: readonly string[]): Promise<void>

  /**
   * Events after a cursor, in log order. No event that commits later is ever skipped. `gap` is true
   * where events after the cursor have been purged.
   */
  read(query: EventQuery): Promise<EventPage>
  /** The cursor of now: a read from it gives what is written from here on. */
  end(): Promise<string>

  /** Removes sent events older than `before`, oldest first, and whatever is beyond `most`. */
  purge(before: Date, most: number, limit: number): Promise<number>
}

export interface LoggedEvent extends EventDraft {
  /** Its place in the log. */
  readonly seq: string
}

export interface EventQuery {
  /** A page's or an event's cursor; absent: the oldest kept. */
  readonly after?: string
  readonly limit: number
  readonly type?: string
  readonly name?: string
  readonly task?: string
}

export interface EventPage {
  readonly events: readonly (LoggedEvent & { readonly cursor: string })[]
  /** Where the next read goes on, also when nothing matched. */
  readonly cursor: string
  readonly gap: boolean
}
