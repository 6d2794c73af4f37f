import { isAtLeast, type NomadVersion } from '../version.ts'

/** What is to be known of a release, and whether it can be used at all. */
export interface ReleaseNote {
  readonly usable: boolean
  readonly message: string
  readonly remedy?: string
}

/** The first release that this was tried on. */
const LEAST = [1, 6, 0] as const
/** Those whose event stream begins with HTTP/0.0 (hashicorp/nomad #27582). */
const WITHOUT_EVENTS = ['1.11.2', '1.10.8+ent', '1.8.20+ent']

/** By Nomad's change log; none where there is nothing to say. */
export function releaseNotes(version: NomadVersion): readonly ReleaseNote[] {
  const is = (text: string) => version.text === text || version.text.startsWith(`${text}+`)
  return [
    ...(isAtLeast(version, LEAST)
      ? []
      : [
          {
            usable: false,
            message: 'older than 1.6, which is the oldest that this was tried on',
            remedy: 'Nomad 1.6 or newer is needed',
          },
        ]),
    ...(WITHOUT_EVENTS.some(is)
      ? [
          {
            usable: false,
            message: 'its event stream is not HTTP (hashicorp/nomad #27582)',
            remedy: 'go on to 1.11.3, 1.10.9+ent or 1.8.21+ent',
          },
        ]
      : []),
    ...(runsEndedTasksAgain(version)
      ? [
          {
            usable: true,
            message:
              'whatever has ended is run again when a node goes or is drained (#19729), if no daemon sees the end before: 1.6.10 and 1.7.7 do not do that',
          },
        ]
      : []),
    ...(failsAfterReconnecting(version)
      ? [
          {
            usable: true,
            message:
              'a client that was out of reach while it ran a task, and is restarted later, may end at each start until its `client/state.db` is removed (#19972): 1.6.9 and 1.7.6 do not do that',
          },
        ]
      : []),
    ...(isAtLeast(version, [1, 8, 0])
      ? []
      : [
          {
            usable: true,
            message:
              'what was purged is read by each list before 1.8, for the servers’ batch_eval_gc_threshold (24 h by default; 1h is better with thousands of tasks a day)',
          },
        ]),
    ...(isAtLeast(version, [1, 11, 0])
      ? []
      : [
          {
            usable: true,
            message:
              'a drained node’s allocations are placed anew before 1.11 (#26961): they are stopped as soon as they are seen',
          },
        ]),
  ]
}

/**
 * Since #18701 and until #20181: an allocation that is over does not count any more where the job bears
 * disconnected clients, so that each evaluation places it anew (scheduler/reconcile_util.go).
 */
function runsEndedTasksAgain(version: NomadVersion): boolean {
  return isWithin(version, [1, 6, 3], [1, 6, 10]) || isWithin(version, [1, 7, 0], [1, 7, 7])
}

/** Of an allocation that came back from being unknown a client keeps what it cannot restore (seen on 1.6.5). */
function failsAfterReconnecting(version: NomadVersion): boolean {
  return isWithin(version, [1, 6, 0], [1, 6, 9]) || isWithin(version, [1, 7, 0], [1, 7, 6])
}

function isWithin(version: NomadVersion, from: Release, to: Release): boolean {
  return isAtLeast(version, from) && !isAtLeast(version, to)
}

type Release = readonly [major: number, minor: number, patch: number]
