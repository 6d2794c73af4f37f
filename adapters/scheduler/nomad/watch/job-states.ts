import type { AllocationView, EvaluationView, EventView, JobState, JobView } from '../views.ts'
import { Starts } from './starts.ts'

/** What lists have told: jobs, their allocations, and the evaluations that say something of them. */
export interface Reading {
  readonly jobs: readonly JobView[]
  readonly allocations: readonly AllocationView[]
  readonly evaluations: readonly EvaluationView[]
}

interface Known {
  job: JobView | undefined
  /** It was purged; its allocations may be told of for a while. */
  deleted: boolean
  readonly allocations: Map<string, AllocationView>
  readonly evaluations: Map<string, EvaluationView>
  /** How many lists had been begun when an event last spoke of it. */
  heardAt: number
}

/**
 * Each job as the last list and the events since have it. Of one object the higher index is the newer
 * state, whichever way it came: events are published before they can be read, come again when a server
 * was restarted, and begin with older ones. Across objects indexes say nothing: two frames may share
 * one, and after a restore they begin again lower (then the stream has ended, and `clear` is called).
 */
export class JobStates {
  #jobs = new Map<string, Known>()
  /** Kept over subscriptions: an allocation's id never comes again. */
  readonly #starts = new Starts()
  #lists = 0

  /** At the beginning of a subscription: what was known may be of another history. */
  clear(): void {
    this.#jobs = new Map()
  }

  /** Takes what an event says. The job that it has changed, where it has changed something. */
  take({ Topic, Payload }: EventView): string | undefined {
    const { Job: job, Allocation: allocation, Evaluation: evaluation, Deleted: deleted } = Payload
    if (Topic === 'Job' && job) return this.#takeJob(job, deleted === true)
    if (Topic === 'Allocation' && allocation) {
      this.#starts.take(allocation)
      return takeOne(this.#heard(allocation.JobID).allocations, allocation)
    }
    if (Topic === 'Evaluation' && evaluation) {
      const known = this.#heard(evaluation.JobID)
      const purged = isPurge(evaluation, known.job) && !known.deleted
      if (purged) known.deleted = true
      const changed = takeEvaluation(known.evaluations, evaluation)
      return purged ? evaluation.JobID : changed
    }
    return undefined
  }

  /** To be called before a list is read, and its answer given to `learn`. */
  beginList(): number {
    this.#lists += 1
    return this.#lists
  }

  /** Goes by a list, but for what has been heard since it was begun. */
  learn(reading: Reading, begun: number): void {
    const before = this.#jobs
    for (const allocation of reading.allocations) this.#starts.take(allocation)
    this.#jobs = new Map(
      statesOf(reading).map(({ job, allocations, evaluations }) => [
        job.ID,
        {
          job,
          deleted: false,
          allocations: byId(allocations),
          evaluations: byId(evaluations),
          heardAt: 0,
        },
      ]),
    )
    for (const [id, old] of before) {
      if (old.heardAt < begun) continue
      const known = this.#jobs.get(id)
      if (known === undefined) {
        this.#jobs.set(id, old)
        continue
      }
      known.heardAt = old.heardAt
      known.deleted = old.deleted
      if (isNewer(old.job, known.job)) known.job = old.job
      for (const one of old.allocations.values()) takeOne(known.allocations, one)
      for (const one of old.evaluations.values()) takeEvaluation(known.evaluations, one)
    }
    const all = [...this.#jobs.values()].flatMap((one) => [...one.allocations.keys()])
    this.#starts.keepOnly(new Set(all))
  }

  /** Undefined where the job itself has not been told of. */
  get(id: string): JobState | undefined {
    const known = this.#jobs.get(id)
    if (known?.job === undefined) return undefined
    const startedAgain = [...known.allocations.keys()].filter((one) => this.#starts.wasAgain(one))
    return {
      job: known.job,
      allocations: [...known.allocations.values()],
      evaluations: [...known.evaluations.values()],
      ...(known.deleted && { deleted: true }),
      ...(startedAgain.length > 0 && { startedAgain: new Set(startedAgain) }),
    }
  }

  /** What a request for the job itself has brought, where events have told of what belongs to it alone. */
  complete(job: JobView): void {
    const known = this.#jobs.get(job.ID)
    if (known !== undefined && isNewer(job, known.job)) known.job = job
  }

  #takeJob(job: JobView, deleted: boolean): string | undefined {
    const known = this.#heard(job.ID)
    // What was purged comes as it was last.
    const isNews = deleted ? !known.deleted && !isNewer(known.job, job) : isNewer(job, known.job)
    if (!isNews) return undefined
    known.job = job
    known.deleted = deleted
    return job.ID
  }

  #heard(id: string): Known {
    const known = this.#jobs.get(id) ?? {
      job: undefined,
      deleted: false,
      allocations: new Map<string, AllocationView>(),
      evaluations: new Map<string, EvaluationView>(),
      heardAt: 0,
    }
    known.heardAt = this.#lists
    this.#jobs.set(id, known)
    return known
  }
}

/**
 * Before 1.11.3 a purge says nothing of the job itself (#27614), but it is deregistered, and one that is
 * deregistered and stays has been told to stop in the frame before.
 */
function isPurge(evaluation: EvaluationView, job: JobView | undefined): boolean {
  return (
    evaluation.TriggeredBy === 'job-deregister' &&
    job !== undefined &&
    job.Stop !== true &&
    evaluation.CreateIndex > job.ModifyIndex
  )
}

function takeOne<T extends AllocationView | EvaluationView>(
  into: Map<string, T>,
  one: T,
): string | undefined {
  if (!isNewer(one, into.get(one.ID))) return undefined
  into.set(one.ID, one)
  return one.JobID
}

/**
 * A job that lives long has had hundreds that say nothing of it. One that did is kept as it went on, so
 * that an older state of it is known as that.
 */
function takeEvaluation(
  into: Map<string, EvaluationView>,
  one: EvaluationView,
): string | undefined {
  return isTelling(one) || into.has(one.ID) ? takeOne(into, one) : undefined
}

/** An operator has stopped an allocation: that shows in its evaluation alone. */
const BY_HAND = 'alloc-stop'

/**
 * Of what was done by hand, and of what waits for a place. That a job was purged shows in an event's
 * evaluation alone.
 */
function isTelling({ Status, TriggeredBy = '' }: EvaluationView): boolean {
  return Status === 'blocked' || TriggeredBy === BY_HAND || TriggeredBy === 'job-deregister'
}

/**
 * As a filter of lists: a job that is listed says itself that it is deregistered, and the evaluations
 * of those that are not stay for an hour, one or two for each task.
 */
export const TELLING = `Status == "blocked" or TriggeredBy == "${BY_HAND}"`

/** The jobs of a reading, each with what belongs to it. */
function statesOf({ jobs, allocations, evaluations }: Reading): readonly JobState[] {
  const ofJob = <T extends { readonly JobID: string }>(all: readonly T[]) =>
    Map.groupBy(all, ({ JobID }) => JobID)
  const [itsAllocations, itsEvaluations] = [ofJob(allocations), ofJob(evaluations)]
  return jobs.map((job) => ({
    job,
    allocations: itsAllocations.get(job.ID) ?? [],
    evaluations: itsEvaluations.get(job.ID) ?? [],
  }))
}

function byId<T extends { readonly ID: string }>(all: readonly T[]): Map<string, T> {
  return new Map(all.map((one) => [one.ID, one]))
}

interface Indexed {
  readonly ModifyIndex: number
}

function isNewer(one: Indexed | undefined, known: Indexed | undefined): boolean {
  if (one === undefined) return false
  return known === undefined || one.ModifyIndex > known.ModifyIndex
}
