import type { Allocation, Evaluation, Job, Node } from './objects.ts'
import { isOpen, isTerminal, jobKey, keyOf } from './objects.ts'

/** What one transaction has done to one object. */
export type Change =
  | { readonly topic: 'Job'; readonly object: Job }
  | { readonly topic: 'Allocation'; readonly object: Allocation }
  | { readonly topic: 'Evaluation'; readonly object: Evaluation }
  | { readonly topic: 'Node'; readonly object: Node }

export interface Commit {
  readonly index: number
  /** Names the transaction, and with it every event of it (nomad/state/events.go). */
  readonly type: string
  readonly changes: readonly Change[]
}

type Indexed<T> = Omit<T, 'ModifyIndex' | 'CreateIndex'> & { readonly CreateIndex?: number }

/** One transaction: what is put into it gets its index. */
export interface Transaction {
  readonly index: number
  job(job: Indexed<Job>): void
  /** Of a job that is gone there is no event (before 1.11.3). */
  purge(job: Job): void
  allocation(allocation: Indexed<Allocation>): void
  evaluation(evaluation: Indexed<Evaluation>): void
  node(node: Indexed<Node>): void
  /** A node's own index stays: its clients' reports are counted in it, that is all. */
  reported(node: Node): void
}

/**
 * The tables of the servers, each change of which is told to whoever listens. Jobs, and what is asked for
 * by a job, are by `jobKey`.
 */
export class State {
  readonly jobs = new Map<string, Job>()
  readonly allocations = new Map<string, Allocation>()
  readonly evaluations = new Map<string, Evaluation>()
  readonly nodes = new Map<string, Node>()
  /** The index of each table's last change. */
  readonly last = { jobs: 1, allocations: 1, evaluations: 1, nodes: 1 }
  readonly #listeners = new Set<(commit: Commit) => void>()
  readonly #byJob = new Map<string, Set<string>>()
  #index = 1

  get index(): number {
    return this.#index
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** `index`: what a request changes in two transactions bears one (nomad/fsm.go). */
  commit(type: string, work: (tx: Transaction) => void, index = this.#index + 1): number {
    this.#index = index
    const changes = new Map<string, Change>()
    const touched = new Set<string>()
    work(this.#transaction(index, changes, touched))
    for (const job of touched) this.#settle(job, index, changes)
    const commit = { index, type, changes: [...changes.values()] }
    for (const listener of this.#listeners) listener(commit)
    return index
  }

  allocationsOf(job: string): readonly Allocation[] {
    return this.#of(`a ${job}`, this.allocations)
  }

  evaluationsOf(job: string): readonly Evaluation[] {
    return this.#of(`e ${job}`, this.evaluations)
  }

  #of<T>(key: string, table: ReadonlyMap<string, T>): readonly T[] {
    const ids = [...(this.#byJob.get(key) ?? [])].sort()
    return ids.flatMap((id) => table.get(id) ?? [])
  }

  #transaction(index: number, changes: Map<string, Change>, touched: Set<string>): Transaction {
    const indexed = <T extends { readonly CreateIndex?: number }>(one: T) => ({
      ...one,
      CreateIndex: one.CreateIndex ?? index,
      ModifyIndex: index,
    })
    const { jobs, allocations, evaluations, nodes, last } = this
    return {
      index,
      job: (job) => {
        const object = indexed(job) as Job
        const key = jobKey(object.Namespace, object.ID)
        jobs.set(key, object)
        last.jobs = index
        changes.set(`Job ${key}`, { topic: 'Job', object })
        touched.add(key)
      },
      purge: ({ Namespace, ID }) => {
        jobs.delete(jobKey(Namespace, ID))
        last.jobs = index
      },
      allocation: (allocation) => {
        const object = indexed(allocation) as Allocation
        allocations.set(object.ID, object)
        last.allocations = index
        this.#relate(`a ${keyOf(object)}`, object.ID)
        changes.set(object.ID, { topic: 'Allocation', object })
        touched.add(keyOf(object))
      },
      evaluation: (evaluation) => {
        const object = indexed(evaluation) as Evaluation
        evaluations.set(object.ID, object)
        last.evaluations = index
        this.#relate(`e ${keyOf(object)}`, object.ID)
        changes.set(object.ID, { topic: 'Evaluation', object })
        touched.add(keyOf(object))
      },
      node: (node) => {
        const object = indexed(node) as Node
        nodes.set(object.ID, object)
        last.nodes = index
        changes.set(object.ID, { topic: 'Node', object })
      },
      reported: (node) => {
        const object = { ...node, LastAllocUpdateIndex: index }
        nodes.set(object.ID, object)
        changes.set(object.ID, { topic: 'Node', object })
      },
    }
  }

  #relate(key: string, id: string): void {
    const ids = this.#byJob.get(key) ?? new Set<string>()
    this.#byJob.set(key, ids.add(id))
  }

  /** A job is what its allocations and evaluations are (nomad/state, getJobStatus). */
  #settle(key: string, index: number, changes: Map<string, Change>): void {
    const job = this.jobs.get(key)
    if (job === undefined) return
    const Status = this.#statusOf(key)
    if (job.Status === Status) return
    const object = { ...job, Status, ModifyIndex: index }
    this.jobs.set(key, object)
    this.last.jobs = index
    changes.set(`Job ${key}`, { topic: 'Job', object })
  }

  #statusOf(key: string): Job['Status'] {
    const allocations = this.allocationsOf(key)
    if (!allocations.every(isTerminal)) return 'running'
    const evaluations = this.evaluationsOf(key)
    if (evaluations.some(isOpen)) return 'pending'
    return allocations.length + evaluations.length > 0 ? 'dead' : 'pending'
  }
}
