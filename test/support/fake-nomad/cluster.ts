import type { JsonObject } from '../../../src/core/json.ts'
import { NO_TRANSITION } from './allocations.ts'
import type { Report } from './client.ts'
import { newEvaluation, type NewEvaluation } from './evaluations.ts'
import type { Evaluator } from './evaluator.ts'
import { jobOf } from './jobs.ts'
import { isClientTerminal, keyOf, nanoseconds } from './objects.ts'
import type { Allocation, Job } from './objects.ts'
import type { State, Transaction } from './state.ts'

/** A change, and the evaluation that it has brought about. */
export interface Done {
  readonly index: number
  readonly evaluation: string
}

/** What is done to jobs and allocations, by those who ask and by the clients that report. */
export class Cluster {
  readonly #state: State
  readonly #evaluator: Evaluator
  readonly #tainted: (node: string) => void

  /** `over`: is told of each node where something has come to its end. */
  constructor(state: State, evaluator: Evaluator, over: (node: string) => void) {
    this.#state = state
    this.#evaluator = evaluator
    this.#tainted = over
  }

  register(written: JsonObject, namespace: string): Done {
    const job = jobOf({ ...written, Namespace: namespace })
    const index = this.#state.commit('JobRegistered', (tx) => {
      tx.job({ ...job, JobModifyIndex: tx.index })
    })
    const evaluation = newEvaluation({
      Namespace: job.Namespace,
      JobID: job.ID,
      JobModifyIndex: index,
      TriggeredBy: 'job-register',
    })
    return this.#evaluated('JobRegistered', evaluation, index)
  }

  /** Undefined where there is no such job, which is fine. `key`: its `jobKey`. */
  deregister(key: string, purge: boolean): Done | undefined {
    const job = this.#state.jobs.get(key)
    if (job === undefined) return undefined
    const index = this.#state.commit('JobDeregistered', (tx) => {
      if (purge) tx.purge(job)
      else this.#stopJob(tx, job)
    })
    const evaluation = newEvaluation({
      Namespace: job.Namespace,
      JobID: job.ID,
      JobModifyIndex: index,
      TriggeredBy: 'job-deregister',
      // Whatever the job's own is (nomad/job_endpoint.go).
      Type: 'service',
    })
    return this.#evaluated('JobDeregistered', evaluation, index)
  }

  /** An operator's `alloc stop`: it is migrated. */
  stop(allocation: Allocation): Done {
    const evaluation = newEvaluation({
      Namespace: allocation.Namespace,
      JobID: allocation.JobID,
      JobModifyIndex: allocation.Job.ModifyIndex,
      TriggeredBy: 'alloc-stop',
    })
    const transition = { ...NO_TRANSITION, Migrate: true, NoShutdownDelay: false }
    const index = this.#state.commit('AllocationUpdateDesiredStatus', (tx) => {
      tx.allocation({ ...allocation, DesiredTransition: transition, ModifyTime: nanoseconds() })
      tx.evaluation(evaluation)
    })
    return { index, evaluation: evaluation.ID }
  }

  /** Another job of a higher priority takes its place (nomad/plan_apply.go). */
  preempt(allocation: Allocation, by: string): Done {
    const { Namespace, JobID } = allocation
    const evaluation = newEvaluation({ Namespace, JobID, TriggeredBy: 'preemption' })
    const index = this.#state.commit('PlanResult', (tx) => {
      tx.allocation({
        ...allocation,
        DesiredStatus: 'evict',
        DesiredDescription: `Preempted by alloc ID ${by}`,
        PreemptedByAllocation: by,
        AllocModifyIndex: tx.index,
        ModifyTime: nanoseconds(),
      })
      tx.evaluation(evaluation)
    })
    return { index, evaluation: evaluation.ID }
  }

  /** What a client says of its allocations, and what the servers make of it (nomad/node_endpoint.go). */
  report(node: string, reports: readonly Report[]): void {
    const evaluations: NewEvaluation[] = []
    const over = reports.some(({ clientStatus }) => isClientTerminal(clientStatus))
    const index = this.#state.commit('AllocationUpdated', (tx) => {
      for (const report of reports) {
        const allocation = this.#state.allocations.get(report.id)
        if (allocation === undefined) continue
        const evaluation = this.#becauseOf(allocation, report)
        if (evaluation !== undefined) evaluations.push(evaluation)
        tx.allocation(reported(allocation, report))
      }
      const found = this.#state.nodes.get(node)
      if (found !== undefined) tx.reported(found)
    })
    for (const evaluation of evaluations) {
      this.#evaluated('AllocationUpdated', evaluation, index)
    }
    if (!over) return
    this.#evaluator.unblock()
    this.#tainted(node)
  }

  #becauseOf(allocation: Allocation, { clientStatus }: Report): NewEvaluation | undefined {
    const wasUnknown = allocation.ClientStatus === 'unknown'
    if (!isClientTerminal(clientStatus) && !wasUnknown) return undefined
    const { Namespace, JobID } = allocation
    if (!this.#state.jobs.has(keyOf(allocation))) {
      return newEvaluation({ Namespace, JobID, TriggeredBy: 'job-deregister' })
    }
    return wasUnknown ? newEvaluation({ Namespace, JobID, TriggeredBy: 'reconnect' }) : undefined
  }

  #stopJob(tx: Transaction, job: Job): void {
    tx.job({ ...job, Stop: true, Version: job.Version + 1, JobModifyIndex: tx.index })
  }

  /** In a transaction of its own, of the same index. */
  #evaluated(type: string, evaluation: NewEvaluation, index: number): Done {
    this.#state.commit(
      type,
      (tx) => {
        tx.evaluation(evaluation)
      },
      index,
    )
    return { index, evaluation: evaluation.ID }
  }
}

function reported(allocation: Allocation, report: Report): Allocation {
  return {
    ...allocation,
    ClientStatus: report.clientStatus,
    ClientDescription: report.clientDescription,
    TaskStates: report.taskStates,
    NetworkStatus: { Address: '', DNS: null, InterfaceName: '' },
    ModifyTime: nanoseconds(),
  }
}
