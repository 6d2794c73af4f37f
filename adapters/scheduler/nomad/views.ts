/**
 * What is read of Nomad's objects: only these fields. Absent, `null` and empty mean the same here: the
 * same field is `""` in a list, absent in an event and `null` in a job (structs with `omitempty`).
 * Indexes are safe integers; times in nanoseconds are not, and are for showing only.
 */

/** A job, as `/v1/job/ID` and events have it whole, and `/v1/jobs?meta=true` as a stub. */
export interface JobView {
  readonly ID: string
  readonly Namespace?: string
  readonly Type?: string
  readonly Version?: number
  /** `pending`, `running`, `dead`: of evaluations and allocations as the servers see them. */
  readonly Status?: string
  /** Somebody has deregistered it. */
  readonly Stop?: boolean
  readonly Meta?: Readonly<Record<string, string>> | null
  readonly CreateIndex: number
  readonly ModifyIndex: number
  readonly JobModifyIndex?: number
}

/** An allocation: the stub of a list has these fields, an event's payload as well. */
export interface AllocationView {
  readonly ID: string
  readonly JobID: string
  readonly NodeID?: string
  readonly NodeName?: string
  readonly TaskGroup?: string
  readonly CreateIndex: number
  readonly ModifyIndex: number
  /** Nanoseconds. */
  readonly CreateTime?: number
  readonly ModifyTime?: number
  /** `run`, `stop`, `evict`: what the servers want. */
  readonly DesiredStatus?: string
  readonly DesiredDescription?: string
  /** `pending`, `running`, `complete`, `failed`, `lost`, `unknown`: what the client has said of it. */
  readonly ClientStatus: string
  readonly ClientDescription?: string
  readonly TaskStates?: Readonly<Record<string, TaskStateView>> | null
  readonly PreemptedByAllocation?: string
  /** In events and whole allocations, not in the stubs of lists. */
  readonly PreviousAllocation?: string
  readonly NextAllocation?: string
  /** When its client status became what it is: not in the stubs of lists. */
  readonly AllocStates?: readonly AllocStateView[] | null
  readonly FollowupEvalID?: string
}

interface AllocStateView {
  readonly Field?: string
  readonly Value?: string
  readonly Time?: string | null
}

export interface TaskStateView {
  /** `pending`, `running`, `dead`. */
  readonly State: string
  readonly Failed?: boolean
  readonly Restarts?: number
  readonly StartedAt?: string | null
  readonly FinishedAt?: string | null
  /** The last ten (`client/allocrunner/taskrunner`, maxTaskEvents). */
  readonly Events?: readonly TaskEventView[] | null
}

export interface TaskEventView {
  readonly Type: string
  /** Nanoseconds. */
  readonly Time?: number
  readonly Message?: string
  readonly DisplayMessage?: string
  /** Every value is text: `exit_code`, `signal`, `oom_killed`, `exit_message`. */
  readonly Details?: Readonly<Record<string, string>> | null
  readonly ExitCode?: number
  readonly Signal?: number
  readonly FailsTask?: boolean
  readonly DriverError?: string
  readonly DriverMessage?: string
  readonly DownloadError?: string
  readonly SetupError?: string
  readonly ValidationError?: string
  readonly KillReason?: string
  readonly KillError?: string
  readonly RestartReason?: string
}

export interface EvaluationView {
  readonly ID: string
  readonly JobID: string
  readonly CreateIndex: number
  readonly ModifyIndex: number
  /** `pending`, `blocked`, `complete`, `failed`, `canceled`. */
  readonly Status: string
  readonly StatusDescription?: string
  readonly TriggeredBy?: string
  readonly BlockedEval?: string
  readonly PreviousEval?: string
  /** Why there was no place, by task group. */
  readonly FailedTGAllocs?: Readonly<Record<string, PlacementView>> | null
}

/** `AllocMetric`: how a placement came to nothing. */
export interface PlacementView {
  readonly NodesEvaluated?: number
  readonly NodesFiltered?: number
  readonly NodesInPool?: number
  readonly NodesAvailable?: Counts
  readonly NodesExhausted?: number
  readonly ConstraintFiltered?: Counts
  readonly ClassFiltered?: Counts
  readonly DimensionExhausted?: Counts
  readonly ClassExhausted?: Counts
  readonly QuotaExhausted?: readonly string[] | null
}

type Counts = Readonly<Record<string, number>> | null

export interface NodeView {
  readonly ID: string
  readonly Name?: string
  /** `initializing`, `ready`, `down`, `disconnected`. */
  readonly Status: string
  /** Seconds; not in the stubs of lists. */
  readonly StatusUpdatedAt?: number
  readonly Datacenter?: string
  readonly NodePool?: string
  readonly Version?: string
  readonly SchedulingEligibility?: string
  readonly Drain?: boolean
  readonly Drivers?: Readonly<
    Record<string, { readonly Detected?: boolean; readonly Healthy?: boolean }>
  > | null
}

/** Everything that is known of one job, from lists or from events. The allocations are in no order. */
export interface JobState {
  readonly job: JobView
  readonly allocations: readonly AllocationView[]
  readonly evaluations: readonly EvaluationView[]
  /** It was purged: no list has it any more, and what is known of it was known before. */
  readonly deleted?: boolean
  /** Those of its allocations that were seen to start once more. */
  readonly startedAgain?: ReadonlySet<string>
}

/** One line of the event stream: a raft transaction; a heartbeat has neither field. */
export interface FrameView {
  readonly Index?: number
  readonly Events?: readonly EventView[] | null
}

/**
 * One object as the transaction left it. What it is says the topic; the type names the transaction, not
 * what became of the object (nomad/state/events.go).
 */
export interface EventView {
  readonly Topic: string
  readonly Type: string
  readonly Key: string
  readonly Namespace?: string
  readonly Index: number
  readonly Payload: {
    readonly Job?: JobView | null
    readonly Allocation?: AllocationView | null
    readonly Evaluation?: EvaluationView | null
    readonly Node?: NodeView | null
    /** Of a job: purged, or collected as garbage. */
    readonly Deleted?: boolean
  }
}
