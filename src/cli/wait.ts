import { isEnded } from '../core/task.ts'
import type { WireTask } from '../core/wire.ts'
import { Unavailable } from '../core/errors.ts'
import type { Client } from './http/client.ts'
import { type Followed, followEvents, isPassing } from './http/event-follower.ts'
import { quietReader } from './http/quiet-reader.ts'
import { createProgress, type Progress, type Step } from './views/progress.ts'

/** What the events tell they tell better than the task: it is looked at once they have had their say. */
const QUIET_MS = 100

export interface Waiting {
  /** The daemon has the task now; `known`: it had it before. */
  accepted(task: WireTask, known: boolean): void
  step(step: Step): void
  /** The daemon has gone or is back, events are missing, the task is stuck. */
  notice(text: string): void
}

/**
 * Has a task run and waits for the end of it, over restarts of the daemon. It listens before it asks,
 * goes on after the last event seen, and looks at the task itself whenever a connection stands and
 * whenever it has been silent, so that nothing is missed. Throws as the client does; after the task has
 * been accepted only what does not pass.
 */
export async function runAndWait(
  client: Client,
  request: {
    readonly type: string
    readonly run: (signal: AbortSignal) => ReturnType<Client['runTask']>
  },
  tell: Waiting,
  signal: AbortSignal,
): Promise<WireTask> {
  let task: WireTask | undefined
  let progress: Progress | undefined
  let stuck: string | undefined
  let asked = false
  const query = () => (task === undefined ? { type: request.type } : { task: task.id })
  const reader = quietReader<Followed>(followEvents(client, query, signal))

  /** Asks for the task, or how it is. Undefined: the daemon does not say now. */
  const look = async (): Promise<WireTask | undefined> => {
    try {
      if (task !== undefined) return await client.task(task.id, signal)
      const again = asked
      asked = true
      const { task: accepted, known } = await request.run(signal)
      // Asked again after an answer was lost, it is known by our own doing.
      tell.accepted(accepted, known && !again)
      progress = createProgress(accepted.run)
      return accepted
    } catch (error) {
      // A no to the question itself is one; nobody there to answer will be somebody again.
      const passes = task === undefined ? error instanceof Unavailable : isPassing(error)
      if (!passes || signal.aborted) throw error
      return undefined
    }
  }

  /** When what was looked at is told. */
  let tellAtMs: number | undefined
  for (;;) {
    const leftMs = tellAtMs === undefined ? undefined : tellAtMs - performance.now()
    const item = leftMs !== undefined && leftMs <= 0 ? 'quiet' : await reader.next(leftMs)
    if (item === 'ended') throw new Unavailable('ended', 'the events have come to an end')
    if (item === 'quiet') {
      tellAtMs = undefined
      if (task === undefined) continue
      for (const step of progress?.task(task) ?? []) tell.step(step)
      if (task.stuck !== undefined && task.stuck.reason !== stuck) tell.notice(stuckWords(task))
      stuck = task.stuck?.reason
      if (isEnded(task.state)) return task
      continue
    }
    let lookAfterMs: number | undefined
    switch (item.kind) {
      case 'away':
        tell.notice(`${item.why}\nWaiting for the daemon to come back.`)
        break
      case 'gap':
        tell.notice('Some events have been purged before they could be read.')
        break
      case 'connected':
        if (item.again) tell.notice('The daemon is back.')
        lookAfterMs = QUIET_MS
        break
      case 'alive':
        lookAfterMs = QUIET_MS
        break
      case 'event': {
        const { name, message } = item.event
        if (task === undefined || message['taskId'] !== task.id) break
        // Of an end the task itself knows all, also what no event has told.
        if (END_EVENTS.has(name)) lookAfterMs = 0
        else for (const step of progress?.event(name, message) ?? []) tell.step(step)
        break
      }
    }
    if (lookAfterMs === undefined) continue
    const found = await look()
    if (found === undefined) continue
    task = found
    tellAtMs = performance.now() + lookAfterMs
  }
}

const END_EVENTS = new Set(
  ['succeeded', 'failed', 'cancelled'].map((end) => `longhaul/task-${end}`),
)

function stuckWords({ id, stuck }: WireTask): string {
  return `The task is stuck: ${stuck?.reason ?? ''}. Once the cause is gone: longhaul task redrive ${id}`
}
