import { setImmediate as turn } from 'node:timers/promises'
import type { JsonObject } from '../../../src/core/json.ts'
import { newAllocation } from './allocations.ts'
import { blockedEvaluation, type NewEvaluation, newEvaluation } from './evaluations.ts'
import { groupOf, keyOf, nanoseconds } from './objects.ts'
import type { Allocation, Evaluation, Job, Node } from './objects.ts'
import { type Placement, placementOf, type Room } from './placement.ts'
import { reconcile, type Wanted } from './reconcile.ts'
import type { State, Transaction } from './state.ts'

/**
 * The servers' scheduler: takes evaluations one after the other and has become of the allocations what
 * they come to (scheduler/generic_sched.go). What found no place waits, and is tried again when
 * something may have become free.
 */
export class Evaluator {
  readonly #state: State
  readonly #room: (node: string) => Room
  readonly #queue: string[] = []
  /** By the job's key: there is one for each at most. */
  readonly #blocked = new Map<string, string>()
  #working: Promise<void> | undefined

  constructor(state: State, room: (node: string) => Room) {
    this.#state = state
    this.#room = room
    state.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.topic !== 'Evaluation') continue
        const { ID, Status, WaitUntil } = change.object
        if (Status === 'pending' && WaitUntil === undefined) this.#enqueue(ID)
      }
    })
  }

  /** A node has become ready, or something on one is over. */
  unblock(): void {
    for (const id of this.#blocked.values()) this.#enqueue(id)
  }

  /** Resolves once nothing is left to be evaluated. */
  async idle(): Promise<void> {
    await this.#working
  }

  #enqueue(id: string): void {
    if (this.#queue.includes(id)) return
    this.#queue.push(id)
    this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    for (;;) {
      // As servers do: whoever has brought the evaluation about is answered first.
      await turn()
      const id = this.#queue.shift()
      if (id === undefined) break
      const found = this.#state.evaluations.get(id)
      if (found?.Status === 'pending' || found?.Status === 'blocked') this.#evaluate(found)
    }
    this.#working = undefined
  }

  #evaluate(evaluation: Evaluation): void {
    const state = this.#state
    const SnapshotIndex = state.index
    const key = keyOf(evaluation)
    const job = state.jobs.get(key)
    const wanted = reconcile(job, state.allocationsOf(key), state.nodes)
    if (wanted.reconnected.some(({ NodeID }) => state.nodes.get(NodeID)?.Status !== 'ready')) {
      this.#conflict(evaluation, SnapshotIndex, job)
      return
    }
    const placements =
      job === undefined ? [] : wanted.place.map(() => placementOf(job, state, this.#room))
    const failed = placements.find(({ node }) => node === undefined)
    const blocked =
      failed !== undefined && job !== undefined && evaluation.Status !== 'blocked'
        ? this.#block(evaluation, SnapshotIndex, job, failed)
        : undefined
    const followUp = this.#followUp(evaluation, SnapshotIndex, job, wanted)
    this.#plan({ evaluation, job, wanted, placements, ...(followUp && { followUp }) })
    if (evaluation.Status === 'blocked' && failed !== undefined) return
    const FailedTGAllocs = failed === undefined ? undefined : failuresOf(job, failed)
    this.#end(evaluation, {
      Status: 'complete',
      SnapshotIndex,
      ...(job !== undefined && {
        QueuedAllocations: { [groupOf(job).Name]: placements.filter((p) => !p.node).length },
      }),
      ...(FailedTGAllocs !== undefined && { FailedTGAllocs }),
      ...(blocked !== undefined && { BlockedEval: blocked.ID }),
    })
  }

  /** The plan is refused twice by the node's state, and waits for another (nomad/plan_apply.go). */
  #conflict(evaluation: Evaluation, SnapshotIndex: number, job: Job | undefined): void {
    const blocked = blockedEvaluation(evaluation, {
      SnapshotIndex,
      TriggeredBy: 'max-plan-attempts',
      StatusDescription: 'created due to placement conflicts',
    })
    this.#wait(blocked)
    this.#end(evaluation, {
      Status: 'failed',
      StatusDescription: 'maximum attempts reached (2)',
      SnapshotIndex,
      BlockedEval: blocked.ID,
      ...(job !== undefined && { QueuedAllocations: { [groupOf(job).Name]: 0 } }),
    })
  }

  #block(
    evaluation: Evaluation,
    SnapshotIndex: number,
    job: Job,
    failed: Placement,
  ): NewEvaluation {
    const { classes } = failed
    const blocked = blockedEvaluation(evaluation, {
      SnapshotIndex,
      FailedTGAllocs: failuresOf(job, failed),
      ...(Object.keys(classes).length > 0 && { ClassEligibility: classes }),
    })
    this.#wait(blocked)
    return blocked
  }

  #wait(blocked: NewEvaluation): void {
    const before = this.#blocked.get(keyOf(blocked))
    this.#blocked.set(keyOf(blocked), blocked.ID)
    this.#state.commit('EvaluationUpdated', (tx) => {
      tx.evaluation(blocked)
    })
    const double = before === undefined ? undefined : this.#state.evaluations.get(before)
    if (double?.Status !== 'blocked') return
    this.#state.commit('EvaluationUpdated', (tx) => {
      const said = `existing blocked evaluation exists for job "${blocked.JobID}"`
      cancel(tx, double, said)
    })
  }

  #followUp(
    evaluation: Evaluation,
    SnapshotIndex: number,
    job: Job | undefined,
    { unknown }: Wanted,
  ): NewEvaluation | undefined {
    if (unknown.length === 0 || job === undefined) return undefined
    const { MaxClientDisconnect } = groupOf(job)
    const followUp = newEvaluation({
      Namespace: job.Namespace,
      JobID: job.ID,
      JobModifyIndex: job.ModifyIndex,
      TriggeredBy: 'max-disconnect-timeout',
      StatusDescription: 'created for delayed disconnect timeout',
      PreviousEval: evaluation.ID,
      SnapshotIndex,
      WaitUntil: new Date(Date.now() + (MaxClientDisconnect ?? 0) / 1_000_000).toISOString(),
    })
    this.#state.commit('EvaluationUpdated', (tx) => {
      tx.evaluation(followUp)
    })
    return followUp
  }

  #plan(parts: {
    readonly evaluation: Evaluation
    readonly job: Job | undefined
    readonly wanted: Wanted
    readonly placements: readonly Placement[]
    readonly followUp?: NewEvaluation
  }): void {
    const { evaluation, job, wanted, placements, followUp } = parts
    const placed = placements.filter(({ node }) => node !== undefined)
    const changes = wanted.stop.length + wanted.unknown.length + wanted.reconnected.length
    if (changes + placed.length === 0) return
    const ModifyTime = nanoseconds()
    const state = (Value: 'unknown' | 'running') => ({
      Field: 0 as const,
      Time: new Date().toISOString(),
      Value,
    })
    this.#state.commit('PlanResult', (tx) => {
      tx.evaluation(evaluation)
      const update = (allocation: Allocation, changed: Partial<Allocation>) => {
        const now = { ...allocation, ...changed, ModifyTime, AllocModifyIndex: tx.index }
        tx.allocation(now)
        this.#touchPrevious(tx, now)
      }
      for (const [i, { node, metric }] of placements.entries()) {
        if (node === undefined || job === undefined) continue
        this.#place(tx, { job, evaluation, node, metric, previous: wanted.place[i] })
      }
      for (const { allocation, description, clientStatus } of wanted.stop) {
        // What was placed in its stead has been told to it meanwhile.
        update(this.#state.allocations.get(allocation.ID) ?? allocation, {
          DesiredStatus: 'stop',
          DesiredDescription: description,
          ...(clientStatus !== undefined && { ClientStatus: clientStatus }),
        })
      }
      for (const allocation of wanted.unknown) {
        update(allocation, {
          ClientStatus: 'unknown',
          ClientDescription: 'alloc is unknown since its node is disconnected',
          AllocStates: [...(allocation.AllocStates ?? []), state('unknown')],
          ...(followUp !== undefined && { FollowupEvalID: followUp.ID }),
        })
      }
      for (const allocation of wanted.reconnected) {
        const AllocStates = [...(allocation.AllocStates ?? []), state('running')]
        // As whatever is placed, it bears the plan's job.
        update(allocation, { AllocStates, ...(job !== undefined && { Job: job }) })
      }
    })
  }

  #place(
    tx: Transaction,
    of: {
      readonly job: Job
      readonly evaluation: Evaluation
      readonly node: Node
      readonly metric: JsonObject
      readonly previous: Allocation | undefined
    },
  ): void {
    const { previous, ...rest } = of
    const allocation = newAllocation({ ...rest, ...(previous !== undefined && { previous }) })
    tx.allocation({ ...allocation, AllocModifyIndex: tx.index })
    this.#touchPrevious(tx, allocation)
  }

  /** Each time that it is planned with, not only when it is placed (nomad/state, upsertAllocsImpl). */
  #touchPrevious(
    tx: Transaction,
    { ID, PreviousAllocation = '' }: Pick<Allocation, 'ID' | 'PreviousAllocation'>,
  ): void {
    const previous = this.#state.allocations.get(PreviousAllocation)
    if (previous !== undefined) tx.allocation({ ...previous, NextAllocation: ID })
  }

  #end(evaluation: Evaluation, how: Partial<Evaluation>): void {
    const blocked = this.#state.evaluations.get(this.#blocked.get(keyOf(evaluation)) ?? '')
    const { StatusDescription: _said, FailedTGAllocs: _failed, ...rest } = evaluation
    this.#state.commit('EvaluationUpdated', (tx) => {
      if (how.Status === 'complete' && how.FailedTGAllocs === undefined && blocked !== undefined) {
        this.#blocked.delete(keyOf(evaluation))
        if (blocked.ID !== evaluation.ID) {
          cancel(tx, blocked, `evaluation "${evaluation.ID}" successful`)
        }
      }
      tx.evaluation({ ...rest, ...how, ModifyTime: nanoseconds() })
    })
  }
}

function cancel(tx: Transaction, evaluation: Evaluation, StatusDescription: string): void {
  tx.evaluation({
    ...evaluation,
    Status: 'canceled',
    StatusDescription,
    ModifyTime: nanoseconds(),
  })
}

function failuresOf(job: Job | undefined, { metric }: Placement): Record<string, JsonObject> {
  return job === undefined ? {} : { [groupOf(job).Name]: metric }
}
