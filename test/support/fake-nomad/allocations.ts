import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../../../src/core/json.ts'
import { asJson, groupOf, nanoseconds, taskOf } from './objects.ts'
import type { Allocation, Evaluation, Job, Node, TaskState } from './objects.ts'

export type NewAllocation = Omit<Allocation, 'CreateIndex' | 'ModifyIndex' | 'AllocModifyIndex'>

const SIGNING_KEY = randomUUID()

export function newAllocation(of: {
  readonly job: Job
  readonly evaluation: Evaluation
  readonly node: Node
  readonly metric: JsonObject
  readonly previous?: Allocation
}): NewAllocation & JsonObject {
  const { job, evaluation, node, metric, previous } = of
  const group = groupOf(job)
  const task = taskOf(job)
  const { CPU, MemoryMB } = task.Resources
  const { SizeMB } = group.EphemeralDisk
  const now = nanoseconds()
  const resources = {
    CPU,
    Cores: 0,
    Devices: null,
    DiskMB: 0,
    IOPS: 0,
    MemoryMB,
    MemoryMaxMB: 0,
    Networks: null,
  }
  return {
    ID: randomUUID(),
    Name: `${job.ID}.${group.Name}[0]`,
    Namespace: job.Namespace,
    EvalID: evaluation.ID,
    NodeID: node.ID,
    NodeName: node.Name,
    JobID: job.ID,
    Job: asJson(job) as JsonObject & Job,
    TaskGroup: group.Name,
    DesiredStatus: 'run',
    ClientStatus: 'pending',
    ...(previous !== undefined && { PreviousAllocation: previous.ID }),
    CreateTime: now,
    ModifyTime: now,
    Metrics: metric,
    SigningKeyID: SIGNING_KEY,
    Resources: { ...resources, DiskMB: SizeMB, MemoryMaxMB: MemoryMB },
    SharedResources: { ...resources, CPU: 0, DiskMB: SizeMB, MemoryMB: 0 },
    TaskResources: { [task.Name]: resources },
    AllocatedResources: {
      Shared: { DiskMB: SizeMB, Networks: null, Ports: null },
      TaskLifecycles: { [task.Name]: null },
      Tasks: {
        [task.Name]: {
          Cpu: { CpuShares: CPU, ReservedCores: null },
          Devices: null,
          Memory: { MemoryMB, MemoryMaxMB: 0 },
          Networks: null,
        },
      },
    },
  }
}

/** What a client says of one of its allocations, by the state of its task. */
export function clientWord(
  state: TaskState,
): Pick<Allocation, 'ClientStatus' | 'ClientDescription'> {
  if (state.State === 'dead' && state.Failed) {
    return { ClientStatus: 'failed', ClientDescription: 'Failed tasks' }
  }
  switch (state.State) {
    case 'pending':
      return { ClientStatus: 'pending', ClientDescription: 'No tasks have started' }
    case 'running':
      return { ClientStatus: 'running', ClientDescription: 'Tasks are running' }
    case 'dead':
      return { ClientStatus: 'complete', ClientDescription: 'All tasks have completed' }
  }
}

/** In an event it is without its job, which is large. */
export function allocationEvent({ Job: _job, ...rest }: Allocation): object {
  return rest
}

/** One line of a list: every field is said, the empty ones as well. */
export function allocationStub(allocation: Allocation): object {
  const { Job: job } = allocation
  return {
    ID: allocation.ID,
    EvalID: allocation.EvalID,
    Name: allocation.Name,
    Namespace: allocation.Namespace,
    NodeID: allocation.NodeID,
    NodeName: allocation.NodeName,
    JobID: allocation.JobID,
    JobType: job.Type,
    JobVersion: job.Version,
    TaskGroup: allocation.TaskGroup,
    DesiredStatus: allocation.DesiredStatus,
    DesiredDescription: allocation.DesiredDescription ?? '',
    DesiredTransition: allocation.DesiredTransition ?? NO_TRANSITION,
    ClientStatus: allocation.ClientStatus,
    ClientDescription: allocation.ClientDescription ?? '',
    TaskStates: allocation.TaskStates ?? null,
    DeploymentStatus: null,
    FollowupEvalID: allocation.FollowupEvalID ?? '',
    NextAllocation: allocation.NextAllocation ?? '',
    RescheduleTracker: null,
    PreemptedAllocations: null,
    PreemptedByAllocation: allocation.PreemptedByAllocation ?? '',
    CreateIndex: allocation.CreateIndex,
    ModifyIndex: allocation.ModifyIndex,
    CreateTime: allocation.CreateTime,
    ModifyTime: allocation.ModifyTime,
  }
}

export const NO_TRANSITION = {
  ForceReschedule: null,
  Migrate: null,
  NoShutdownDelay: null,
  Reschedule: null,
}
