import type { TaskState } from '../../core/task.ts'
import type { WireTask } from '../../core/wire.ts'
import type { Cell } from '../terminal/table.ts'

const COLOURS = {
  queued: 'yellow',
  starting: 'cyan',
  running: 'cyan',
  exited: 'cyan',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'magenta',
} as const satisfies Record<TaskState, string>

export function colourOf(state: TaskState): (typeof COLOURS)[TaskState] {
  return COLOURS[state]
}

export function stateCell({ state }: Pick<WireTask, 'state'>): Cell {
  return { text: state, format: COLOURS[state] }
}
