import type { Json, JsonObject } from '../../../src/core/json.ts'

/**
 * What a Nomad keeps, by the names of its API. An absent field is an empty one, as in events and in
 * whole objects; lists say the empty ones as well.
 */
export interface Job {
  readonly ID: string
  readonly Name: string
  readonly Namespace: string
  readonly Type: string
  readonly Priority: number
  readonly NodePool: string
  readonly Datacenters: readonly string[]
  readonly Constraints: readonly Constraint[] | null
  readonly Meta: Readonly<Record<string, string>> | null
  readonly TaskGroups: readonly TaskGroup[]
  readonly Status: 'pending' | 'running' | 'dead'
  readonly StatusDescription: string
  readonly Stop: boolean
  readonly Version: number
  /** Nanoseconds. */
  readonly SubmitTime: number
  readonly CreateIndex: number
  readonly ModifyIndex: number
  readonly JobModifyIndex: number
}

export interface Constraint {
  readonly LTarget: string
  readonly Operand: string
  readonly RTarget: string
}

export interface TaskGroup {
  readonly Name: string
  readonly Count: number
  readonly Constraints: readonly Constraint[] | null
  /** Nanoseconds; null where a node that does not answer has lost its allocations. */
  readonly MaxClientDisconnect: number | null
  readonly EphemeralDisk: { readonly SizeMB: number }
  readonly Tasks: readonly Task[]
}

export interface Task {
  readonly Name: string
  readonly Driver: string
  readonly Config: JsonObject | null
  readonly Env: Readonly<Record<string, string>> | null
  readonly Meta: Readonly<Record<string, string>> | null
  readonly KillSignal: string
  /** Nanoseconds. */
  readonly KillTimeout: number
  readonly Constraints: readonly Constraint[] | null
  readonly Resources: Resources
}

interface Resources {
  readonly CPU: number
  readonly MemoryMB: number
}

export type ClientStatus = 'pending' | 'running' | 'complete' | 'failed' | 'lost' | 'unknown'

export interface Allocation {
  readonly ID: string
  readonly Name: string
  readonly Namespace: string
  readonly EvalID: string
  readonly NodeID: string
  readonly NodeName: string
  readonly JobID: string
  /** As it was when this was placed; in no event. */
  readonly Job: Job
  readonly TaskGroup: string
  readonly DesiredStatus: 'run' | 'stop' | 'evict'
  readonly DesiredDescription?: string
  readonly DesiredTransition?: JsonObject
  readonly ClientStatus: ClientStatus
  readonly ClientDescription?: string
  readonly TaskStates?: Readonly<Record<string, TaskState>>
  readonly AllocStates?: readonly AllocState[]
  readonly NetworkStatus?: JsonObject
  readonly PreviousAllocation?: string
  readonly NextAllocation?: string
  readonly FollowupEvalID?: string
  readonly PreemptedByAllocation?: string
  readonly CreateIndex: number
  readonly ModifyIndex: number
  readonly AllocModifyIndex: number
  /** Nanoseconds, as `ModifyTime`. */
  readonly CreateTime: number
  readonly ModifyTime: number
}

interface AllocState {
  readonly Field: 0
  readonly Value: ClientStatus
  readonly Time: string
}

export interface TaskState {
  readonly State: 'pending' | 'running' | 'dead'
  readonly Failed: boolean
  readonly Restarts: number
  readonly LastRestart: null
  readonly StartedAt: string | null
  readonly FinishedAt: string | null
  /** The last ten. */
  readonly Events: readonly JsonObject[]
  readonly TaskHandle: null
}

export interface Evaluation {
  readonly ID: string
  readonly Namespace: string
  readonly JobID: string
  readonly Priority: number
  readonly Type: string
  readonly TriggeredBy: string
  readonly Status: 'pending' | 'blocked' | 'complete' | 'failed' | 'canceled'
  readonly StatusDescription?: string
  readonly JobModifyIndex?: number
  readonly NodeID?: string
  readonly NodeModifyIndex?: number
  readonly PreviousEval?: string
  readonly BlockedEval?: string
  readonly WaitUntil?: string
  readonly FailedTGAllocs?: Readonly<Record<string, JsonObject>>
  readonly ClassEligibility?: Readonly<Record<string, boolean>>
  readonly QueuedAllocations?: Readonly<Record<string, number>>
  readonly SnapshotIndex?: number
  readonly CreateIndex: number
  readonly ModifyIndex: number
  readonly CreateTime: number
  readonly ModifyTime: number
}

export interface Node {
  readonly ID: string
  readonly Name: string
  readonly Datacenter: string
  readonly NodePool: string
  readonly NodeClass: string
  readonly ComputedClass: string
  readonly HTTPAddr: string
  readonly TLSEnabled: boolean
  readonly Drivers: Readonly<Record<string, JsonObject>>
  readonly Status: 'initializing' | 'ready' | 'down' | 'disconnected'
  readonly StatusDescription: string
  readonly SchedulingEligibility: 'eligible' | 'ineligible'
  readonly Drain: boolean
  readonly DrainStrategy: JsonObject | null
  readonly LastDrain: JsonObject | null
  readonly LastAllocUpdateIndex: number
  readonly LastMissedHeartbeatIndex: number
  /** Seconds. */
  readonly StatusUpdatedAt: number
  readonly CreateIndex: number
  readonly ModifyIndex: number
}

export const DEFAULT_NAMESPACE = 'default'

/** What a job is known by: its id is one of its namespace. In `default` it is the id by itself. */
export function jobKey(Namespace: string, ID: string): string {
  return Namespace === DEFAULT_NAMESPACE ? ID : `${Namespace}/${ID}`
}

/** The job's of an allocation or an evaluation. */
export function keyOf({ Namespace, JobID }: Pick<Allocation, 'Namespace' | 'JobID'>): string {
  return jobKey(Namespace, JobID)
}

/** The servers want no more of it, or its client has ended it. */
export function isTerminal({ DesiredStatus, ClientStatus }: Allocation): boolean {
  return DesiredStatus !== 'run' || isClientTerminal(ClientStatus)
}

export function isClientTerminal(status: ClientStatus): boolean {
  return status === 'complete' || status === 'failed' || status === 'lost'
}

export function isOpen({ Status }: Evaluation): boolean {
  return Status === 'pending' || Status === 'blocked'
}

/** There is one, as Longhaul's jobs have it. */
export function groupOf(job: Job): TaskGroup {
  const [group] = job.TaskGroups
  if (group === undefined) throw new Error(`the job ${job.ID} has no group`)
  return group
}

export function taskOf(job: Job): Task {
  const [task] = groupOf(job).Tasks
  if (task === undefined) throw new Error(`the job ${job.ID} has no task`)
  return task
}

export function nanoseconds(at = new Date()): number {
  return at.getTime() * 1_000_000
}

/** As JSON to be sent; every object here is one. */
export function asJson(value: object): Json {
  return value as Json
}
