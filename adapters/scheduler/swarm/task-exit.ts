import { exitOfCode } from '../../../src/core/exit.ts'
import type { ExitReason, ObservedExit } from '../../../src/core/exit.ts'
import type { TaskView } from './views.ts'

/** States from which a task never comes back (swarmkit api/types.proto). */
const TERMINAL = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'])

export function isOver({ Status }: Pick<TaskView, 'Status'>): boolean {
  return TERMINAL.has(Status.State)
}

/** How a task in a terminal state ended; `stopped` where it was because its service was removed. */
export function exitOf(task: TaskView): {
  readonly exit: ObservedExit
  readonly stopped: boolean
} {
  const at = task.Status.Timestamp === undefined ? undefined : new Date(task.Status.Timestamp)
  const found = exitOfState(task)
  const removed = task.DesiredState === 'remove'
  return {
    exit: { ...found, ...(at !== undefined && !Number.isNaN(at.getTime()) && { at }) },
    // What had ended by itself before it was removed has ended by itself.
    stopped: removed && ['shutdown', 'remove'].includes(task.Status.State),
  }
}

function exitOfState(task: TaskView): ObservedExit {
  const { State, Message = '', Err = '' } = task.Status
  switch (State) {
    // The one success. An exit code 0 also stands beside failures (moby #34190).
    case 'complete':
      return exitOfCode(0)
    case 'failed':
      return failure(Message, Err, codeOf(task))
    case 'rejected':
      return rejection(Message, Err)
    case 'orphaned':
      return because('node-lost', Message, Err)
    case 'shutdown':
    case 'remove': {
      if (task.DesiredState !== 'remove') {
        return because('interrupted', 'its node was drained, or was down', Err)
      }
      const code = codeOf(task)
      const said = code === undefined ? {} : exitOfCode(code)
      return { ...said, ...because('removed', 'its service was removed', Err) }
    }
    default:
      return because('lost', `the unknown state '${State}'`, Err)
  }
}

/** A code that a program can have ended with: 0 is also what stands where there is none. */
function codeOf({ Status }: TaskView): number | undefined {
  const code = Status.ContainerStatus?.ExitCode
  return code !== undefined && code > 0 ? code : undefined
}

function failure(message: string, err: string, code: number | undefined): ObservedExit {
  const told = /^task: non-zero exit \((\d+)\)(.*)/s.exec(err)
  if (told !== null) {
    const [, number = '', more = ''] = told
    if (!more.includes('unhealthy')) return { ...exitOfCode(Number(number)), message: err }
    // A program that was well for a while did start.
    const reason = message === 'starting' ? 'start-failed' : 'failed'
    return { reason, code: Number(number), message: err }
  }
  // A graceful restart of dockerd removes every container of its node; the code beside it is stale.
  if (err.startsWith('No such container')) return because('interrupted', err)
  if (err.includes('failed to start shim')) return because('interrupted', err)
  if (err.includes(DISK_FULL)) return because('interrupted', err)
  if (message === 'starting') {
    return { reason: 'start-failed', ...(code !== undefined && { code }), message: err }
  }
  return code === undefined
    ? because('interrupted', message, err)
    : { ...exitOfCode(code), message: err }
}

/** In the words of the system, whatever the engine was about: another node may do. */
const DISK_FULL = 'no space left on device'

/**
 * Errors of containers that could not be made, beside those of images, whose texts differ by engine and
 * image store and are not to be listed.
 */
const NOT_THE_IMAGE =
  /\bmount|bind source|volume|network(?! is unreachable)|secret|config\b|credential spec|CPU|memory|cgroup|ulimit|sysctl|capabilit|device|OCI runtime|container name|hostname|working directory/i

function rejection(message: string, err: string): ObservedExit {
  if (message.includes('constraint enforcer')) return because('preempted', err)
  if (err.includes(DISK_FULL)) return because('interrupted', err)
  if (err.includes('node is missing network attachments')) return because('unschedulable', err)
  // An image may well be called `team/network-probe`.
  const unnamed = err.replaceAll(/\S*\w[/:@]\w\S*/g, '')
  const image = message === 'preparing' && !NOT_THE_IMAGE.test(unnamed)
  return because(image ? 'image-unavailable' : 'rejected', err === '' ? message : err)
}

function because(reason: ExitReason, ...texts: readonly string[]): ObservedExit {
  const message = texts.filter((text) => text !== '').join(': ')
  return { reason, ...(message !== '' && { message }) }
}
