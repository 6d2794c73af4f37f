import { Rejected, Unavailable, errorMessage } from '../../../src/core/errors.ts'
import { sameIdentity } from '../../../src/core/unit.ts'
import type { Observation, UnitSpec } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import type { CheckResult, SchedulerAdapter } from '../../../src/ports/scheduler-adapter.ts'
import type { NomadAgent } from './agent.ts'
import { checkNomad } from './check/check.ts'
import type { NomadApi } from './client/nomad-api.ts'
import { Endings } from './logs/endings.ts'
import { isOver } from './sight/exit.ts'
import { Followers } from './logs/followers.ts'
import { unitOf } from './identity.ts'
import { jobOf } from './job/job.ts'
import { Nodes } from './nodes.ts'
import { register } from './register.ts'
import { allocationsOf, deregister, jobPath, removeJob } from './remove.ts'
import { isByNodeAlone, type SeenUnit, unitOfJob } from './sight/sight.ts'
import { unitLogs } from './logs/unit-logs.ts'
import type { JobState, JobView } from './views.ts'
import { subscribe } from './watch/event-stream.ts'
import { changedJobs } from './watch/job-changes.ts'
import { JobStates } from './watch/job-states.ts'
import { readJobs, UNIT_PREFIX } from './watch/read-jobs.ts'

const DEREGISTER_MS = 5_000
/** What could not be deregistered is otherwise tried again with each list. */
const LEAVE_APART_MS = 60_000

/**
 * Units as batch jobs of a Nomad, each registered once. It keeps nothing but what can be asked for
 * again; every truth is Nomad's.
 */
export class NomadScheduler implements SchedulerAdapter {
  readonly kind = 'nomad'
  /**
   * The agent and the server it has found each hold what they cannot forward for 5 s (`RPCHoldTimeout`);
   * the agent is asked up to 11 s after the beginning, for its queue and the lease come first.
   */
  readonly startSettlesMs = 25_000
  readonly #api: NomadApi
  readonly #installation: string
  readonly #agent: NomadAgent
  readonly #nodes: Nodes
  readonly #states = new JobStates()
  readonly #endings: Endings
  readonly #followers = new Followers()
  readonly #logger: Logger
  readonly #closed = new AbortController()
  /** What was deregistered because Nomad would have run it again. */
  readonly #ended = new Map<string, Promise<void>>()
  #leaveWatch = (): void => undefined
  #leftAt = -Infinity

  constructor(parts: {
    readonly api: NomadApi
    readonly installation: string
    readonly agent: NomadAgent
    readonly logger: Logger
  }) {
    this.#api = parts.api
    this.#installation = parts.installation
    this.#agent = parts.agent
    this.#logger = parts.logger
    this.#nodes = new Nodes(parts.api)
    this.#endings = new Endings(parts)
  }

  /**
   * By names, for Nomad tells no id of its servers: two Nomads whose regions have one name (`global`, where
   * none was given) cannot be told apart by the same namespace.
   */
  async home(signal: AbortSignal): Promise<string> {
    const until = this.#until(signal)
    const region = this.#api.region ?? (await this.#agent.view(until)).region
    if (region === '')
      throw new Unavailable('nomad', 'the agent does not say which region it is of')
    return `nomad ${region}/${this.#api.namespace}`
  }

  async start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    if (unit.identity.installation !== this.#installation) {
      throw new Rejected('installation', `${unit.name} belongs to another installation`)
    }
    const until = this.#until(signal)
    const job = jobOf(unit, await this.#agent.view(until))
    const done = await register(this.#api, job, until)
    if (done === 'exists') await this.#compare(unit, until)
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    const until = this.#until(signal)
    const job = await this.#job(name, until)
    if (job === undefined || !this.#isOwn(job) || job.Stop === true) return
    const allocations = await allocationsOf(this.#api, name, until)
    // What has ended by itself keeps its end; without an allocation it has not begun, and shall not.
    if (allocations.length > 0 && allocations.every(isOver)) return
    await deregister(this.#api, name, until)
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    const until = this.#until(signal)
    const job = await this.#job(name, until)
    if (job !== undefined && !this.#isOwn(job)) return
    await removeJob({ api: this.#api, nodes: this.#nodes, name, job, signal: until })
  }

  async list(signal: AbortSignal): Promise<readonly Observation[]> {
    const until = this.#until(signal)
    const begun = this.#states.beginList()
    const reading = await readJobs(this.#api, this.#installation, until)
    this.#states.learn(reading, begun)
    // A node that is back may tell of its allocations: it is read after them.
    const nodes = await this.#nodes.read(until)
    this.#endings.keepOnly(new Set(reading.allocations.map(({ ID }) => ID)))
    const listed = new Set(reading.jobs.map(({ ID }) => ID))
    for (const unit of this.#ended.keys()) if (!listed.has(unit)) this.#ended.delete(unit)
    const now = new Date()
    // With what the stream has told meanwhile: a list takes nothing back.
    const units = reading.jobs.flatMap(({ ID }) => {
      const state = this.#states.get(ID)
      return (state && unitOfJob(state, nodes, now)) ?? []
    })
    return await this.#told(units, until)
  }

  async watch(signal: AbortSignal): Promise<AsyncIterable<Observation>> {
    const until = this.#until(signal)
    const left = new AbortController()
    // Before anything is heard: indexes of another history mean nothing any more, and what was done in it
    // may be undone.
    this.#states.clear()
    this.#ended.clear()
    this.#leaveWatch = () => {
      // One that never succeeds must not take the others' news with it for good.
      if (performance.now() < this.#leftAt + LEAVE_APART_MS) return
      this.#leftAt = performance.now()
      left.abort()
    }
    const events = await subscribe(this.#api, {
      signal: AbortSignal.any([until, left.signal]),
      mentions: `"${UNIT_PREFIX}`,
    })
    const changes = changedJobs(events, this.#states, () => {
      left.abort()
    })
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
    const signal = this.#until(options.signal)
    const parts = { api: this.#api, followers: this.#followers }
    yield* unitLogs(parts, name, { ...options, signal })
  }

  async check(signal: AbortSignal): Promise<readonly CheckResult[]> {
    return await checkNomad(this.#api, signal)
  }

  /** Units go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
    await Promise.all(this.#ended.values())
    await this.#api[Symbol.asyncDispose]()
  }

  async *#observations(
    changes: AsyncIterable<ReadonlySet<string>>,
    signal: AbortSignal,
  ): AsyncGenerator<Observation, void, undefined> {
    try {
      for await (const jobs of changes) {
        const units = await this.#seen(jobs, signal)
        for (const observation of await this.#told(units, signal)) yield observation
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #seen(jobs: ReadonlySet<string>, signal: AbortSignal): Promise<readonly SeenUnit[]> {
    const states: JobState[] = []
    for (const id of jobs) {
      const state = await this.#state(id, signal)
      if (state !== undefined && this.#isOwn(state.job)) states.push(state)
    }
    const now = new Date()
    const sights = () => states.flatMap((state) => unitOfJob(state, this.#nodes.known, now) ?? [])
    const units = sights()
    if (!units.some(isByNodeAlone)) return units
    // No event tells of nodes: the one that was away when they were listed may be back.
    await this.#nodes.read(signal)
    return sights()
  }

  /** A job that no list has shown yet, and whose registration was not heard, is asked for. */
  async #state(id: string, signal: AbortSignal): Promise<JobState | undefined> {
    const known = this.#states.get(id)
    if (known !== undefined || !id.startsWith(UNIT_PREFIX)) return known
    const job = await this.#job(id, signal)
    if (job === undefined) return undefined
    this.#states.complete(job)
    return this.#states.get(id)
  }

  async #told(units: readonly SeenUnit[], signal: AbortSignal): Promise<readonly Observation[]> {
    for (const unit of units) this.#endAtOnce(unit)
    return await this.#endings.complete(units, signal)
  }

  /**
   * Whatever a job's policies say, Nomad makes a second allocation of one whose node is lost or drained,
   * and a client that was restarted may run its task again. Neither is the attempt: the job is deregistered
   * at once, and what is told of the unit says that it lives until it no longer may.
   */
  #endAtOnce({ observation: { unit, identity }, deregister: why }: SeenUnit): void {
    if (why === undefined || this.#ended.has(unit) || this.#closed.signal.aborted) return
    this.#logger.debug('unit.deregistered', { unit, taskId: identity.taskId, why })
    const limited = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(DEREGISTER_MS)])
    const ending = deregister(this.#api, unit, limited).catch((error: unknown) => {
      // It is seen again in the list that is read as soon as the watch begins anew.
      this.#ended.delete(unit)
      this.#leaveWatch()
      this.#logger.warn('unit.deregister-failed', { unit, error: errorMessage(error) })
    })
    this.#ended.set(unit, ending)
  }

  /** A name that is taken is this very attempt's, or nobody's business. */
  async #compare(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    const job = await this.#job(unit.name, signal)
    if (job === undefined) {
      throw new Unavailable('removed', `${unit.name} was removed while it was started`)
    }
    const there = unitOf(job)
    if (there !== undefined && sameIdentity(there.identity, unit.identity)) return
    throw new Rejected('identity', `the job ${unit.name} is there and is another attempt`)
  }

  async #job(name: string, signal: AbortSignal): Promise<JobView | undefined> {
    return await this.#api.find<JobView>(jobPath(name), signal)
  }

  #isOwn(job: JobView): boolean {
    return unitOf(job)?.identity.installation === this.#installation
  }

  #until(signal: AbortSignal): AbortSignal {
    if (signal.aborted || this.#closed.signal.aborted) {
      throw new Unavailable('aborted', 'the call was given up', signal.reason)
    }
    return AbortSignal.any([signal, this.#closed.signal])
  }
}
