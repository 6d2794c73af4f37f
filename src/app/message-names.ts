import { EVENT_BODIES } from '../core/messages.ts'
import type { TaskType } from '../core/task-type.ts'
import { OWN_NAMES } from '../engine/bus.ts'

/** The names of the messages that a daemon with these task types takes. */
export function receivedNames(types: readonly Pick<TaskType, 'command'>[]): string[] {
  return [...OWN_NAMES, ...types.flatMap(({ command }) => command ?? [])]
}

/** And of those that it sends, each once. */
export function sentNames(types: readonly Pick<TaskType, 'eventNames'>[]): string[] {
  const own = types.flatMap(({ eventNames }) => Object.values(eventNames))
  return [...new Set([...Object.keys(EVENT_BODIES), ...own])]
}
