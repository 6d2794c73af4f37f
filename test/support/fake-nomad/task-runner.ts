import type { JsonObject } from '../../../src/core/json.ts'
import { taskOf } from './objects.ts'
import type { Allocation, TaskState } from './objects.ts'
import { type Program, type Script, scripted, started } from './program.ts'
import { type ProgramEnd, taskEvent } from './task-events.ts'

/** A client keeps no more of a task's events (client/allocrunner/taskrunner, maxTaskEvents). */
const MOST_EVENTS = 10

/** One allocation's task on its node, from when the node hears of it to when it is over. */
export class TaskRunner {
  readonly #allocation: Allocation
  readonly #folder: string
  readonly #script: Script | undefined
  readonly #changed: () => void
  #program: Program | undefined
  #killing = false
  #state: TaskState = {
    State: 'pending',
    Failed: false,
    Restarts: 0,
    LastRestart: null,
    StartedAt: null,
    FinishedAt: null,
    Events: [],
    TaskHandle: null,
  }

  constructor(of: {
    readonly allocation: Allocation
    readonly folder: string
    readonly script: Script | undefined
    readonly changed: () => void
  }) {
    this.#allocation = of.allocation
    this.#folder = of.folder
    this.#script = of.script
    this.#changed = of.changed
  }

  get state(): TaskState {
    return this.#state
  }

  get task(): string {
    return taskOf(this.#allocation.Job).Name
  }

  async run(): Promise<void> {
    this.#tell(taskEvent.received())
    this.#tell(taskEvent.setUp())
    await this.#start()
  }

  /** Its stop signal, and a kill once its grace is over. */
  kill(): void {
    if (this.#killing || this.#state.State === 'dead') return
    this.#killing = true
    this.#tell(taskEvent.killing(taskOf(this.#allocation.Job).KillTimeout))
    if (this.#program !== undefined) this.#stop(this.#program)
  }

  #stop(program: Program): void {
    const { KillTimeout, KillSignal, Driver } = taskOf(this.#allocation.Job)
    program.signal(KillSignal || (Driver === 'docker' ? 'SIGTERM' : 'SIGINT'))
    const late = setTimeout(() => {
      program.kill()
    }, KillTimeout / 1_000_000)
    void program.ended.then(() => {
      clearTimeout(late)
    })
  }

  /** The node has lost power, and the program with it: it is run again when the node is back. */
  async lost(): Promise<void> {
    const program = this.#program
    if (program === undefined || this.#state.State === 'dead') return
    this.#program = undefined
    program.kill()
    await program.ended
    this.#tell(taskEvent.restoreFailed(), { State: 'pending' })
  }

  /** `restore` of a client that finds its task gone: no restart policy is asked. */
  async restore(): Promise<void> {
    if (this.#state.State === 'pending') await this.#start()
  }

  reconnected(): void {
    this.#tell(taskEvent.reconnected())
  }

  /** Ends a scripted task from without. */
  end(how: ProgramEnd): void {
    this.#over(how)
  }

  /** At the end of a test: nothing is told any more. */
  async abandon(): Promise<void> {
    const program = this.#program
    this.#program = undefined
    program?.kill()
    await program?.ended
  }

  async #start(): Promise<void> {
    const { pulls } = this.#script ?? {}
    if (pulls !== undefined) this.#tell(taskEvent.pulling(pulls))
    const program =
      this.#script === undefined
        ? await started(this.#allocation, this.#folder)
        : scripted(this.#script)
    if (!('ended' in program)) {
      this.#tell(
        'driverError' in program
          ? taskEvent.driverFailed(program.driverError)
          : taskEvent.invalid(program.validationError),
      )
      this.#fail()
      return
    }
    this.#program = program
    const StartedAt = new Date().toISOString()
    this.#tell(taskEvent.started(), { State: 'running', StartedAt })
    void program.ended.then((end) => {
      if (this.#program === program) this.#over(end)
    })
    if (this.#killing) this.#stop(program)
  }

  #over(end: ProgramEnd): void {
    if (this.#state.State === 'dead') return
    this.#program = undefined
    this.#tell(taskEvent.terminated(end))
    if (this.#killing) this.#finish(taskEvent.killed(), { Failed: false })
    else if (end.code === 0 && end.signal === 0 && end.message === undefined) this.#finish()
    else this.#fail()
  }

  #fail(): void {
    this.#finish(taskEvent.notRestarting(), { Failed: true })
  }

  #finish(event?: JsonObject, more: Partial<TaskState> = {}): void {
    this.#tell(event, { State: 'dead', FinishedAt: new Date().toISOString(), ...more })
  }

  #tell(event: JsonObject | undefined, more: Partial<TaskState> = {}): void {
    const Events = [...this.#state.Events, ...(event === undefined ? [] : [event])]
    this.#state = { ...this.#state, ...more, Events: Events.slice(-MOST_EVENTS) }
    this.#changed()
  }
}
