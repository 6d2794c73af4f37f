import { isEnded } from '../../core/task.ts'
import type { WireTask } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'
import type { Screen } from '../terminal/screen.ts'
import { durationText } from '../terminal/time.ts'
import type { Waiting } from '../wait.ts'
import { type Step, stepWords } from './progress.ts'
import { colourOf } from './state-cell.ts'
import { printTail, shellWord } from './task-details.ts'

/**
 * Shows a task's steps as they happen, on a terminal with a live line below. `aside`: stdout is for
 * something else, so that they go to stderr.
 */
export function waitingView(
  screen: Screen,
  aside: boolean,
): Waiting & { readonly task: string | undefined } {
  let id: string | undefined
  const begunMs = performance.now()
  const say = (line: string) => {
    if (aside) screen.note(line)
    else screen.print(line)
  }
  const live = (words: string) => {
    const sinceMs = performance.now()
    screen.live(() => {
      const now = performance.now()
      const total = `${durationText(now - begunMs)} in all`
      return `${id === undefined ? '' : `${oneLine(id)}  `}${words}  ${durationText(now - sinceMs)}, ${total}`
    })
  }
  return {
    get task() {
      return id
    },
    accepted(task, known) {
      id = task.id
      if (known) screen.note(`${id} was known already: nothing new was started.`)
      else if (screen.rich) screen.print(screen.paint('bold', oneLine(id)))
      live(isEnded(task.state) ? 'ended' : task.state)
    },
    step(step) {
      say(stepLine(screen, id ?? '', step))
      live(liveWords(step))
    },
    notice: (text) => {
      screen.note(text)
    },
  }
}

/** Piped: the time, the task, what happened, and the words for it. */
function stepLine(screen: Screen, id: string, step: Step): string {
  const words = stepWords(step, (iso) => screen.when(iso))
  if (!screen.rich) return [step.at, oneLine(id), step.kind, words].join('\t')
  const time = screen.paint('dim', new Date(step.at).toLocaleTimeString('en-GB'))
  return `${time}  ${paintedStep(screen, step, words)}`
}

function paintedStep(screen: Screen, { kind, exit }: Step, words: string): string {
  switch (kind) {
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return screen.paint(colourOf(kind), words)
    case 'exited':
      return exit !== undefined && exit.fault !== 'none' ? screen.paint('red', words) : words
    case 'retrying':
      return screen.paint('yellow', words)
    case 'accepted':
    case 'started':
      return words
  }
}

function liveWords({ kind, attempt = 0 }: Step): string {
  switch (kind) {
    case 'accepted':
      return 'waits for its start'
    case 'started':
      return `attempt ${attempt} is running`
    case 'exited':
      return `attempt ${attempt} is over`
    case 'retrying':
      return 'waits for its next attempt'
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return kind
  }
}

/** What is left to say at the end: of a failure, what it wrote last and where to read on. */
export function printOutcome(screen: Screen, task: WireTask): void {
  if (task.outcome?.state !== 'failed') return
  const last = task.attempts.findLast(({ exit }) => exit?.logTail !== undefined)
  if (last?.exit?.logTail !== undefined) printTail(screen, last.number, last.exit.logTail)
  screen.note(`The whole story: longhaul task show ${shellWord(task.id)}`)
}
