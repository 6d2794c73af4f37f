import { clientWord } from './allocations.ts'
import { isTerminal } from './objects.ts'
import type { Allocation, TaskState } from './objects.ts'
import type { Script } from './program.ts'
import type { State } from './state.ts'
import { TaskRunner } from './task-runner.ts'
import type { ProgramEnd } from './task-events.ts'

/** What a client reports of one allocation. */
export interface Report {
  readonly id: string
  readonly clientStatus: Allocation['ClientStatus']
  readonly clientDescription: string
  readonly taskStates: Readonly<Record<string, TaskState>>
}

/**
 * The agent of one node: starts and stops what the servers want of it, and reports how that stands, what
 * has changed within one beat together, so that a short task is over before anybody hears that it ran.
 */
export class Client {
  readonly node: string
  readonly #state: State
  readonly #folder: string
  readonly #reportMs: number
  readonly #scriptOf: (allocation: Allocation) => Script | undefined
  readonly #report: (reports: readonly Report[]) => void
  readonly #runners = new Map<string, TaskRunner>()
  readonly #changed = new Set<string>()
  readonly #leave: () => void
  #attached = true
  #beat: NodeJS.Timeout | undefined

  constructor(of: {
    readonly node: string
    readonly state: State
    readonly folder: string
    readonly reportMs: number
    readonly scriptOf: (allocation: Allocation) => Script | undefined
    readonly report: (reports: readonly Report[]) => void
  }) {
    this.node = of.node
    this.#state = of.state
    this.#folder = of.folder
    this.#reportMs = of.reportMs
    this.#scriptOf = of.scriptOf
    this.#report = of.report
    this.#leave = of.state.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.topic === 'Allocation') this.#hear(change.object)
      }
    })
  }

  get attached(): boolean {
    return this.#attached
  }

  /** Nothing is heard of it, and it hears of nothing. What it runs runs on. */
  detach(): void {
    this.#attached = false
    clearTimeout(this.#beat)
    this.#beat = undefined
  }

  async powerOff(): Promise<void> {
    this.detach()
    await Promise.all([...this.#runners.values()].map((runner) => runner.lost()))
  }

  /** It hears of the servers again, and reports at once. */
  async attach(): Promise<void> {
    this.#attached = true
    for (const allocation of this.#state.allocations.values()) {
      if (allocation.NodeID !== this.node) continue
      const runner = this.#runners.get(allocation.ID)
      if (!isTerminal(allocation)) await runner?.restore()
      if (allocation.ClientStatus === 'unknown') runner?.reconnected()
      this.#hear(allocation)
    }
    clearTimeout(this.#beat)
    this.#send()
  }

  taskOf(allocation: string): TaskState | undefined {
    return this.#runners.get(allocation)?.state
  }

  /** Ends a task that a script plays. */
  end(allocation: string, how: ProgramEnd): void {
    this.#runners.get(allocation)?.end(how)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave()
    this.detach()
    await Promise.all([...this.#runners.values()].map((runner) => runner.abandon()))
  }

  #hear(allocation: Allocation): void {
    if (!this.#attached || allocation.NodeID !== this.node) return
    const { ID: id, DesiredStatus } = allocation
    const runner = this.#runners.get(id)
    if (runner !== undefined) {
      if (DesiredStatus !== 'run') runner.kill()
      return
    }
    if (isTerminal(allocation)) return
    const script = this.#scriptOf(allocation)
    const changed = () => {
      this.#changed.add(id)
      if (this.#attached)
        this.#beat ??= setTimeout(() => {
          this.#send()
        }, this.#reportMs)
    }
    const begun = new TaskRunner({ allocation, folder: this.#folder, script, changed })
    this.#runners.set(id, begun)
    void begun.run()
  }

  #send(): void {
    this.#beat = undefined
    const reports = [...this.#changed].flatMap((id) => {
      const runner = this.#runners.get(id)
      return runner === undefined ? [] : [reportOf(id, runner)]
    })
    this.#changed.clear()
    if (reports.length > 0) this.#report(reports)
  }
}

function reportOf(id: string, { state, task }: TaskRunner): Report {
  const { ClientStatus: clientStatus, ClientDescription: clientDescription = '' } =
    clientWord(state)
  return { id, clientStatus, clientDescription, taskStates: { [task]: state } }
}
