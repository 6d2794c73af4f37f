import type { Definition, TaskType } from '../core/task-type.ts'

/** The task types of the files as they are now. Replaced as a whole when the files change. */
export interface TaskTypes {
  byName(name: string): LoadedTaskType | undefined
  /** The type whose own command this is. */
  byCommand(messageName: string): LoadedTaskType | undefined
  all(): readonly LoadedTaskType[]
}

export interface LoadedTaskType {
  readonly type: TaskType
  readonly definition: Definition
  /** Every way in which an input breaks the type's schema; empty: it fits. */
  validateInput(input: unknown): readonly { readonly pointer: string; readonly message: string }[]
}
