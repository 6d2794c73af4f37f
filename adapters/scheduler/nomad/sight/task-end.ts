import type { AllocationView, TaskEventView, TaskStateView } from '../views.ts'

/** What the last `Terminated` event of a task says. */
export interface TaskEnd {
  /** Undefined where the driver lost sight of the program: the code beside it is made up. */
  readonly code?: number
  readonly signal: number
  readonly oomKilled: boolean
  readonly message: string
  /** Nomad was killing it: how it ended says nothing of its own doing. */
  readonly killed: boolean
  /** Nanoseconds. */
  readonly time?: number
}

/** The one task of an attempt's allocation. */
export function taskStateOf({ TaskStates }: AllocationView): TaskStateView | undefined {
  return Object.values(TaskStates ?? {})[0]
}

export function eventsOf(state: TaskStateView | undefined): readonly TaskEventView[] {
  return state?.Events ?? []
}

export function lastEvent(
  state: TaskStateView | undefined,
  type: string,
): TaskEventView | undefined {
  return eventsOf(state).findLast((event) => event.Type === type)
}

/** Undefined where there is no such event: its program has not ended, or was never there. */
export function taskEndOf(state: TaskStateView | undefined): TaskEnd | undefined {
  const events = eventsOf(state)
  const at = events.findLastIndex(({ Type }) => Type === 'Terminated')
  const event = events[at]
  if (event === undefined) return undefined
  const details = event.Details ?? {}
  const code = Number(details['exit_code'] ?? event.ExitCode ?? Number.NaN)
  const message = details['exit_message'] ?? event.Message ?? ''
  const since = events.findLastIndex(({ Type }, i) => i < at && Type === 'Started')
  return {
    ...(isCode(code, message) && { code }),
    signal: Number(details['signal'] ?? event.Signal ?? 0),
    oomKilled: details['oom_killed'] === 'true',
    message,
    killed: events.slice(since + 1, at).some(({ Type }) => Type === 'Killing'),
    ...(event.Time !== undefined && { time: event.Time }),
  }
}

/**
 * Code 0 with an error beside it is what the docker driver says after its daemon was restarted
 * (drivers/docker/handle.go), and any code is what the executors say after theirs was lost
 * (drivers/rawexec/driver.go).
 */
function isCode(code: number, message: string): boolean {
  if (!Number.isInteger(code) || code < 0) return false
  if (message.includes('error waiting on process')) return false
  return code !== 0 || message === '' || message === 'OOM Killed'
}
