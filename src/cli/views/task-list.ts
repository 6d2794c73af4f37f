import type { WireTask } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'
import type { Screen } from '../terminal/screen.ts'
import { printTable } from '../terminal/table.ts'
import { exitWords } from './exit-words.ts'
import { stateCell } from './state-cell.ts'

/** A line for each task: id, state, attempts, when it was created, and what there is to say of it. */
export function printTaskList(screen: Screen, tasks: readonly WireTask[]): void {
  if (screen.rich && tasks.length === 0) {
    screen.print('no tasks')
    return
  }
  printTable(
    screen,
    ['TASK', 'STATE', 'ATTEMPTS', 'CREATED', ''],
    tasks.map((task) => [
      oneLine(task.id),
      stateCell(task),
      String(task.attempts.length),
      screen.when(task.createdAt),
      remark(screen, task),
    ]),
  )
}

function remark(screen: Screen, task: WireTask): string {
  const { stuck, cancelRequested, outcome, dueAt } = task
  if (stuck) return `stuck: ${oneLine(stuck.reason)}`
  if (outcome?.exit !== undefined && outcome.state !== 'succeeded') return exitWords(outcome.exit)
  if (outcome?.reason !== undefined) return oneLine(outcome.reason)
  if (outcome) return ''
  if (cancelRequested) return `cancel asked for ${screen.when(cancelRequested.at)}`
  const last = task.attempts.at(-1)
  if (task.state === 'queued') {
    const why = last?.exit === undefined ? '' : `, after ${exitWords(last.exit)}`
    return dueAt === undefined ? '' : `due ${screen.when(dueAt)}${why}`
  }
  if (last?.startedAt === undefined) return ''
  const node = last.node === undefined ? '' : ` on ${oneLine(last.node)}`
  return `attempt ${last.number} since ${screen.when(last.startedAt)}${node}`
}
