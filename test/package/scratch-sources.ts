/** The files of an application that has installed the package. */

/** In TypeScript: the messages, and a scheduler adapter of its own written to the port. */
export const TYPED = `
import {
  type CheckResult,
  type EventBody,
  exitOfCode,
  type Observation,
  Rejected,
  RunTask,
  sameIdentity,
  type SchedulerAdapter,
  TaskExited,
  Unavailable,
  type UnitSpec,
} from 'longhaul'

const command = new RunTask({ taskType: 'encode', id: 42, input: { source: 'a.mkv' } })
export const name: 'longhaul/run-task' = command.$name
export const exitCode = ({ exit }: TaskExited): number | undefined => exit.code
export const rule = (failed: EventBody<'longhaul/task-failed'>): string => failed.rule

export class Shelf implements SchedulerAdapter {
  readonly kind = 'shelf'
  readonly #units = new Map<string, UnitSpec>()
  start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new Unavailable('aborted', 'too late')
    const held = this.#units.get(unit.name)
    if (held && !sameIdentity(held.identity, unit.identity)) throw new Rejected('taken', unit.name)
    this.#units.set(unit.name, unit)
    return Promise.resolve()
  }
  stop(): Promise<void> {
    return Promise.resolve()
  }
  remove(name: string): Promise<void> {
    this.#units.delete(name)
    return Promise.resolve()
  }
  list(): Promise<readonly Observation[]> {
    const exit = exitOfCode(0)
    return Promise.resolve(
      [...this.#units.values()].map(({ name, identity }) => ({
        unit: name,
        identity,
        phase: 'exited',
        exit,
        stopped: false,
      })),
    )
  }
  watch(): Promise<AsyncIterable<Observation>> {
    return Promise.resolve((async function* () {})())
  }
  async *logs(): AsyncIterable<string> {}
  check(): Promise<readonly CheckResult[]> {
    return Promise.resolve([{ name: 'shelf', ok: true, message: 'there' }])
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}
`

/** What types are for: each line but the import is wrong, in the way that its name says. */
export const WRONG = `
import { RunTask, type SchedulerAdapter, TaskExited } from 'longhaul'
export const withoutType = new RunTask({ input: {} })
export const otherName: 'longhaul/run-task' = new TaskExited().$name
export const noSuchField = (exited: InstanceType<typeof TaskExited>) => exited.exit.colour
export const halfAnAdapter: SchedulerAdapter = { kind: 'half' }
`

/** In JavaScript as it is: every message class, made and printed. */
export const PLAIN = `
import * as longhaul from 'longhaul'
const { RunTask, TaskExited, EVENT_BODIES, COMMAND_BODIES } = longhaul
const exit = { reason: 'failed', fault: 'task', code: 3, at: '2030-01-01T00:00:00.000Z' }
console.log(JSON.stringify({
  command: new RunTask({ taskType: 'encode', input: { source: 'a.mkv' } }),
  event: new TaskExited({ taskId: 'encode/42', attempt: 1, exit }),
  documented: [...Object.keys(COMMAND_BODIES), ...Object.keys(EVENT_BODIES)].sort(),
  named: Object.values(longhaul)
    .filter((one) => typeof one === 'function' && /^class/.test(one.toString()))
    .map((one) => new one().$name)
    .filter((name) => name !== undefined)
    .sort(),
}))
`
