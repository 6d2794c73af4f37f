import type { EventLog } from './event-log.ts'
import type { Leadership } from './leadership.ts'
import type { MessageTable } from './message-table.ts'
import type { TaskStore } from './task-store.ts'

/** Everything that must survive, in one place, so that a state and its event are one transaction. */
export interface Store extends AsyncDisposable {
  /** A random id that the store is born with. */
  readonly installation: string
  readonly tasks: TaskStore
  readonly events: EventLog
  readonly messages: MessageTable
  readonly leadership: Leadership

  /**
   * Calls the listener whenever something was written that the topic's loop may have to do with. A
   * listener only sets a flag: it may be called inside any handler's context.
   */
  onWrite(topic: WakeTopic, listener: () => void): () => void

  /** A value that goes with the store, set once: the first to set it wins and everyone gets that one. */
  remember(name: string, value: string): Promise<string>

  /** Whether it can be read and written now. */
  check(): Promise<void>
}

/** `queue`: something may start. `tasks`: something may have to be reconciled. */
export type WakeTopic = 'queue' | 'tasks' | 'events' | 'messages'
