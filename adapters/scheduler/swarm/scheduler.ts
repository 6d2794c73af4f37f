import { Rejected, Unavailable } from '../../../src/core/errors.ts'
import { sameIdentity } from '../../../src/core/unit.ts'
import type { Observation, UnitSpec } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { CheckResult, SchedulerAdapter } from '../../../src/ports/scheduler-adapter.ts'
import { checkSwarm, type Info } from './check.ts'
import { Endings } from './endings.ts'
import { type EngineApi, isRefusal, messageIn, refusal } from './engine-api.ts'
import type { Images } from './images.ts'
import { LABEL, unitOf } from './labels.ts'
import { followOf, outputOf, tailOf } from './logs.ts'
import { Nodes } from './nodes.ts'
import { type SeenUnit, byUnit, unitOfTasks, unitsOf } from './observe.ts'
import { removeService } from './remove.ts'
import { isDown } from './sight.ts'
import { serviceSpecOf } from './spec/service-spec.ts'
import type { SpecFacts } from './spec-facts.ts'
import type { TaskChange, TaskChanges } from './task-changes.ts'
import { isOver } from './task-exit.ts'
import type { ServiceView, TaskView } from './views.ts'
import { Wake } from '../wake.ts'

/** A follower of a unit that does not run yet looks again after so long. */
const LOOK_AGAIN_MS = 500

/**
 * Units as services of a swarm. It keeps nothing but what can be asked for again; every truth is the
 * swarm's.
 */
export class SwarmScheduler implements SchedulerAdapter {
  readonly kind = 'swarm'
  /**
   * dockerd goes on for 20 s with what its client has given up (`swarmRequestTimeout`); it is asked up to
   * 11 s after the beginning, for its queue, the lease and the image come first.
   */
  readonly startSettlesMs = 35_000
  readonly #engine: EngineApi
  readonly #installation: string
  readonly #images: Images
  readonly #facts: SpecFacts
  readonly #changes: TaskChanges
  readonly #checkControl: ((signal: AbortSignal) => Promise<CheckResult>) | undefined
  readonly #nodes: Nodes
  readonly #endings: Endings
  readonly #logger: Logger
  readonly #closed = new AbortController()
  readonly #duplicates = new Set<string>()

  constructor(parts: {
    readonly engine: EngineApi
    readonly installation: string
    readonly images: Images
    readonly facts: SpecFacts
    readonly changes: TaskChanges
    /** Where a control socket is configured. */
    readonly checkControl?: (signal: AbortSignal) => Promise<CheckResult>
    readonly logger: Logger
  }) {
    this.#engine = parts.engine
    this.#installation = parts.installation
    this.#images = parts.images
    this.#facts = parts.facts
    this.#changes = parts.changes
    this.#checkControl = parts.checkControl
    this.#logger = parts.logger
    this.#nodes = new Nodes(this.#engine)
    this.#endings = new Endings({ ...parts, nodes: this.#nodes })
  }

  /** Only managers know which swarm it is, and only while they have a quorum. */
  async home(signal: AbortSignal): Promise<string> {
    const { Swarm } = await this.#engine.read<Info>('/info', this.#until(signal))
    const id = Swarm?.Cluster?.ID ?? ''
    if (id === '') throw new Unavailable('swarm', 'this engine does not say which swarm it manages')
    return `swarm ${id}`
  }

  async resolve(unit: UnitSpec, signal: AbortSignal): Promise<string | undefined> {
    return await this.#images.resolve(unit, this.#until(signal))
  }

  async start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    if (unit.identity.installation !== this.#installation) {
      throw new Rejected('installation', `${unit.name} belongs to another installation`)
    }
    const until = this.#until(signal)
    const { facts, registryAuth } = await this.#facts.of(unit, until)
    const answer = await this.#engine.call('POST', '/services/create', {
      signal: until,
      body: serviceSpecOf(unit, facts),
      ...(registryAuth !== undefined && { registryAuth }),
    })
    if (answer.status === 201 || answer.status === 200) return
    if (answer.status === 409) return this.#compare(unit, until)
    const message = messageIn(answer.body)
    if (isPermanent(answer.status, message)) throw new Rejected('swarm', message)
    throw refusal('POST /services/create', answer)
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    const until = this.#until(signal)
    const tasks = await this.#tasks(name, until)
    // What has ended by itself keeps its end; without a task it has not begun, and shall not.
    if (tasks.length > 0 && tasks.every(isOver)) return
    if ((await this.#own(name, until)) === undefined) return
    await this.#delete(name, until)
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    const until = this.#until(signal)
    const service = await this.#own(name, until)
    await removeService({
      tasks: () => this.#tasks(name, until),
      nodes: () => this.#nodes.read(until),
      remove: service === undefined ? undefined : () => this.#delete(name, until),
      signal: until,
    })
    this.#duplicates.delete(name)
  }

  async list(signal: AbortSignal): Promise<readonly Observation[]> {
    const until = this.#until(signal)
    const filters = JSON.stringify({ label: [`${LABEL.installation}=${this.#installation}`] })
    const services = await this.#engine.read<readonly ServiceView[]>('/services', until, {
      filters,
    })
    const [tasks, nodes] = await Promise.all([
      this.#engine.read<readonly TaskView[]>('/tasks', until, { filters }),
      this.#nodes.read(until),
    ])
    const units = unitsOf(services, tasks, nodes, new Date())
    this.#endings.keepOnly(new Set(tasks.map(({ ID }) => ID)))
    units.forEach((unit) => {
      this.#reportDuplicate(unit)
    })
    return await this.#endings.complete(units, until)
  }

  async watch(signal: AbortSignal): Promise<AsyncIterable<Observation>> {
    const until = this.#until(signal)
    await this.#nodes.read(until)
    const changes = await this.#changes(until)
    return this.#observations(changes, until)
  }

  async *logs(
    name: string,
    options: {
      readonly tailBytes?: number
      readonly follow?: boolean
      readonly signal: AbortSignal
    },
  ): AsyncGenerator<string, void, undefined> {
    const { tailBytes, follow = false } = options
    const signal = this.#until(options.signal)
    for (;;) {
      const task = unitOfTasks(await this.#tasks(name, signal), new Map(), new Date())?.task
      const running = task?.Status.State === 'running'
      if (follow && running) {
        yield* followOf(this.#engine, task, tailBytes, signal)
        return
      }
      if (task === undefined || isOver(task) || !follow) {
        if (task === undefined) return
        if (tailBytes === undefined) yield* outputOf(this.#engine, task, signal)
        else yield await tailOf(this.#engine, task, tailBytes, signal)
        return
      }
      await new Wake().wait(signal, LOOK_AGAIN_MS)
      if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
    }
  }

  async check(signal: AbortSignal): Promise<readonly CheckResult[]> {
    const results = await checkSwarm(this.#engine, signal)
    const control = await this.#checkControl?.(signal)
    return control === undefined ? results : [...results, control]
  }

  /** Units go on. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    return Promise.resolve()
  }

  async *#observations(
    changes: AsyncIterable<TaskChange>,
    signal: AbortSignal,
  ): AsyncGenerator<Observation, void, undefined> {
    try {
      for await (const { tasks, nodesMoved } of changes) {
        const stale = nodesMoved || tasks.some((task) => this.#isStrayed(task))
        if (stale) await this.#nodes.read(signal)
        const units = [...byUnit(tasks).values()].flatMap((ofUnit) => {
          const unit = unitOfTasks(ofUnit, this.#nodes.known, new Date())
          return unit === undefined ? [] : [unit]
        })
        for (const observation of await this.#endings.complete(units, signal)) yield observation
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /**
   * A task that must end without having been told by us, or whose node is unknown so far, or was down and
   * may be back: whoever lists tasks is not told that a node is.
   */
  #isStrayed(task: TaskView): boolean {
    if (!isOver(task) && task.DesiredState !== 'running') return true
    const { NodeID = '' } = task
    const node = this.#nodes.known.get(NodeID)
    return NodeID !== '' && (node === undefined || isDown(node))
  }

  /** A name that is taken is this very attempt's, or nobody's business. */
  async #compare(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    const service = await this.#service(unit.name, signal)
    if (service === undefined) {
      throw new Unavailable('removed', `${unit.name} was removed while it was started`)
    }
    const there = unitOf(service.Spec.Labels)
    if (there !== undefined && sameIdentity(there.identity, unit.identity)) return
    throw new Rejected('identity', `the service ${unit.name} is there and is another attempt`)
  }

  async #service(name: string, signal: AbortSignal): Promise<ServiceView | undefined> {
    return await this.#engine.find<ServiceView>(`/services/${encodeURIComponent(name)}`, signal)
  }

  /** The service, where it is one of this installation's units. */
  async #own(name: string, signal: AbortSignal): Promise<ServiceView | undefined> {
    const service = await this.#service(name, signal)
    const own = unitOf(service?.Spec.Labels)?.identity.installation === this.#installation
    return own ? service : undefined
  }

  async #delete(name: string, signal: AbortSignal): Promise<void> {
    const path = `/services/${encodeURIComponent(name)}`
    const answer = await this.#engine.call('DELETE', path, { signal })
    if (answer.status !== 200 && answer.status !== 404) throw refusal(`DELETE ${path}`, answer)
  }

  /** By label: a task is there for a while when its service is gone. */
  async #tasks(name: string, signal: AbortSignal): Promise<readonly TaskView[]> {
    const label = [`${LABEL.installation}=${this.#installation}`, `${LABEL.unit}=${name}`]
    return await this.#engine.read<readonly TaskView[]>('/tasks', signal, {
      filters: JSON.stringify({ label }),
    })
  }

  #reportDuplicate({ observation: { unit }, tasks }: SeenUnit): void {
    if (tasks < 2 || this.#duplicates.has(unit)) return
    this.#duplicates.add(unit)
    this.#logger.error('unit.duplicated', {
      unit,
      tasks,
      remedy: 'somebody has updated or forced the service: it ran more than once',
    })
  }

  #until(signal: AbortSignal): AbortSignal {
    if (signal.aborted || this.#closed.signal.aborted) {
      throw new Unavailable('aborted', 'the call was given up', signal.reason)
    }
    return AbortSignal.any([signal, this.#closed.signal])
  }
}

/** Refusals for good that come with 500: a spec that is too large, in either place, and an unknown network. */
const PERMANENT_500 =
  /raft message is too large|received message larger than max|^network .* not found$/

/** The same request will be refused again. */
function isPermanent(status: number, message: string): boolean {
  return isRefusal(status) || (status >= 500 && PERMANENT_500.test(message))
}
