import type { WireAttempt, WireExit, WireTask } from '../../core/wire.ts'
import { manyLines, oneLine } from '../terminal/printable.ts'
import type { Screen } from '../terminal/screen.ts'
import { printTable } from '../terminal/table.ts'
import { durationText } from '../terminal/time.ts'
import { exitWords } from './exit-words.ts'
import { colourOf } from './state-cell.ts'

/** How many lines of a failed attempt's output are shown; `task logs` shows all. */
const TAIL_LINES = 20

/** What happened to a task and why, on one screen. */
export function printTaskDetails(screen: Screen, task: WireTask): void {
  const facts = factsOf(screen, task)
  const width = Math.max(...facts.map(([name]) => name.length))
  for (const [name, value] of facts) {
    screen.print(
      screen.rich ? `${screen.paint('bold', name.padEnd(width))}  ${value}` : `${name}\t${value}`,
    )
  }
  if (task.attempts.length > 0) {
    screen.print('')
    printAttempts(screen, task)
  }
  const failed = task.attempts.findLast(({ exit }) => exit !== undefined && exit.fault !== 'none')
  if (failed?.exit?.logTail !== undefined) printTail(screen, failed.number, failed.exit.logTail)
}

type Fact = readonly [name: string, value: string]

function factsOf(screen: Screen, task: WireTask): readonly Fact[] {
  const { outcome, stuck, cancelRequested, dueAt } = task
  const at = (iso: string) => (screen.rich ? `${screen.when(iso)} (${iso})` : iso)
  const bytes = Buffer.byteLength(JSON.stringify(task.input))
  return [
    ['task', oneLine(task.id)],
    ['state', screen.paint(colourOf(task.state), task.state)],
    ['run', String(task.run)],
    ['created', at(task.createdAt)],
    ['input', `${bytes} bytes`],
    ...fact('priority', task.priority !== 0 && String(task.priority)),
    ...fact('next', task.state === 'queued' && dueAt && `may start ${at(dueAt)}`),
    ...fact('ended', outcome && at(outcome.at)),
    ...fact('why', outcome?.exit && exitWords(outcome.exit)),
    ...fact('rule', outcome?.rule && oneLine(outcome.rule)),
    ...fact('by', outcome?.by && oneLine(outcome.by)),
    ...fact('reason', outcome?.reason && oneLine(outcome.reason)),
    ...fact('cancel', !outcome && cancelRequested && cancelWords(cancelRequested, at)),
    ...fact('stuck', stuck && `${oneLine(stuck.reason)} (since ${at(stuck.since)})`),
    ...fact(
      'remedy',
      stuck && `once the cause is gone: longhaul task redrive ${shellWord(task.id)}`,
    ),
  ]
}

function fact(name: string, value: string | false | undefined): Fact[] {
  return typeof value === 'string' && value !== '' ? [[name, value]] : []
}

function cancelWords(
  { at: askedAt, by, reason }: NonNullable<WireTask['cancelRequested']>,
  at: (iso: string) => string,
): string {
  const who = by === undefined ? '' : ` by ${oneLine(by)}`
  const why = reason === undefined ? '' : `: ${oneLine(reason)}`
  return `asked for ${at(askedAt)}${who}${why}`
}

function printAttempts(screen: Screen, { attempts }: WireTask): void {
  printTable(
    screen,
    ['ATTEMPT', 'RUN', 'STARTED', 'TOOK', 'NODE', ''],
    attempts.map((attempt) => [
      screen.rich ? String(attempt.number) : `attempt ${attempt.number}`,
      screen.rich ? String(attempt.run) : `run ${attempt.run}`,
      attempt.startedAt === undefined ? '-' : screen.when(attempt.startedAt),
      tookText(attempt),
      attempt.node === undefined ? '-' : oneLine(attempt.node),
      attempt.exit === undefined
        ? { text: liveWords(screen, attempt), format: 'cyan' }
        : {
            text: endWords(attempt.exit, attempt.lateExit),
            ...(attempt.exit.fault !== 'none' && { format: 'red' as const }),
          },
    ]),
  )
}

function liveWords(screen: Screen, { state, unreachableSince }: WireAttempt): string {
  if (unreachableSince === undefined) return state
  return `${state}, and its node has not answered since ${screen.when(unreachableSince)}`
}

function endWords(exit: WireExit, late: WireExit | undefined): string {
  const words = exitWords(exit)
  return late === undefined ? words : `${words} (its copy ended later: ${exitWords(late)})`
}

/** By two clocks, the leader's and the node's: where they disagree too much, nothing is said. */
function tookText({ startedAt, exit }: WireAttempt): string {
  if (startedAt === undefined || exit === undefined) return '-'
  const ms = Date.parse(exit.at) - Date.parse(startedAt)
  return ms >= 0 ? durationText(ms) : '-'
}

/** The end of what an attempt wrote. */
export function printTail(screen: Screen, attempt: number, tail: string): void {
  const lines = manyLines(tail)
  if (lines.length === 0) return
  screen.print('')
  screen.print(screen.paint('bold', `the end of attempt ${attempt}'s output`))
  for (const line of lines.slice(-TAIL_LINES)) screen.print(`  ${line}`)
}

/** As it can be pasted into a shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
