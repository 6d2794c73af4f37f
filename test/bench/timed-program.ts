import { existsSync, readFileSync } from 'node:fs'

/**
 * A program that writes down itself when it is there and when it is about to end: the times of bash,
 * which needs no other program for them. It works for as long as `WORK` says.
 */
const SCRIPT = `
echo "started $LONGHAUL_TASK_ID $EPOCHREALTIME" >>"$TIMES"
[ "$WORK" = 0 ] || sleep "$WORK"
echo "ending $LONGHAUL_TASK_ID $EPOCHREALTIME" >>"$TIMES"
`

export const TIMED_ARGV: readonly [string, ...string[]] = ['bash', '-c', SCRIPT]

export function timedType(
  times: string,
  workSeconds: number,
  command: string,
  rest: object = {},
): object {
  return {
    command: TIMED_ARGV.map((word) => word.replaceAll('$', '$$$$')),
    environment: { TIMES: times, WORK: String(workSeconds) },
    'x-task': { command, id: '/id', ...rest },
  }
}

export interface ProgramTimes {
  readonly started: ReadonlyMap<string, number>
  readonly ending: ReadonlyMap<string, number>
}

/** By task id, in milliseconds of the wall clock. */
export function timesIn(file: string): ProgramTimes {
  const started = new Map<string, number>()
  const ending = new Map<string, number>()
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  for (const line of lines) {
    const [what, id, seconds] = line.split(' ')
    if (id === undefined || seconds === undefined) continue
    // Some languages write a comma there.
    const ms = Number(seconds.replace(',', '.')) * 1000
    if (what === 'started') started.set(id, ms)
    else ending.set(id, ms)
  }
  return { started, ending }
}
