import type { WireTask } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'
import type { Screen } from '../terminal/screen.ts'
import { colourOf } from './state-cell.ts'

/** One line on a task: for people what was done, for programs its id and state. */
export function printTaskState(screen: Screen, { id, state }: WireTask, words: string): void {
  const name = oneLine(id)
  screen.print(
    screen.rich ? `${name} ${screen.paint(colourOf(state), words)}` : `${name}\t${state}`,
  )
}
