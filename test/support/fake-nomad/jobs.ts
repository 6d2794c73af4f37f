import { isJsonObject, type Json, type JsonObject } from '../../../src/core/json.ts'
import { nanoseconds } from './objects.ts'
import type { Allocation, Job } from './objects.ts'

/** A job as the servers keep it: with every default written out, and nothing that they do not know. */
export function jobOf(written: JsonObject): Omit<Job, 'CreateIndex' | 'ModifyIndex'> {
  const id = text(written['ID'])
  const groups = objectsIn(written['TaskGroups']).map((group) => groupOf(group))
  const Name = text(written['Name']) || id
  const job: JsonObject = { ...known(JOB, written), Name, TaskGroups: groups }
  return { ...(job as unknown as Job), SubmitTime: nanoseconds() }
}

/** What is wrong with it, in the words of the real one. */
export function invalidities(
  written: JsonObject,
  namespace: string,
  namespaces: ReadonlySet<string>,
): readonly string[] {
  const wrong = invalidity(written)
  const nowhere = `job "${text(written['ID'])}" is in nonexistent namespace "${namespace}"`
  return [...(namespaces.has(namespace) ? [] : [nowhere]), ...(wrong === undefined ? [] : [wrong])]
}

function invalidity(written: JsonObject): string | undefined {
  for (const [i, { Operand, RTarget }] of objectsIn(written['Constraints']).entries()) {
    if (Operand !== 'regexp' || compiles(text(RTarget))) continue
    return `Constraint ${i + 1} validation failed: ${listed(
      `Regular expression failed to compile: error parsing regexp: \`${text(RTarget)}\``,
    )}`
  }
  for (const group of objectsIn(written['TaskGroups'])) {
    for (const task of objectsIn(group['Tasks'])) {
      if (typeof task['Driver'] === 'string' && task['Driver'] !== '') continue
      return `Task group ${text(group['Name'])} validation failed: ${listed(
        `Task ${text(task['Name'])} validation failed: ${listed('Missing task driver')}`,
      )}`
    }
  }
  return undefined
}

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern).test('')
    return true
  } catch {
    return false
  }
}

/** Errors as the library for several of them writes them (hashicorp/go-multierror). */
export function listed(...errors: readonly string[]): string {
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
  return `${count} occurred:\n\t* ${errors.join('\n\t* ')}\n\n`
}

export function jobStub(job: Job, allocations: readonly Allocation[], queued: number): object {
  const { Meta: _meta, Constraints: _constraints, TaskGroups: groups, ...rest } = job
  const summary = groups.map(({ Name }) => [Name, summaryOf(allocations, queued)])
  const stub = Object.fromEntries(Object.entries(rest).filter(([key]) => STUB.has(key)))
  return {
    ...stub,
    ParameterizedJob: false,
    Periodic: false,
    JobSummary: {
      JobID: job.ID,
      Namespace: job.Namespace,
      Summary: Object.fromEntries(summary) as Json,
      Children: { Dead: 0, Pending: 0, Running: 0 },
      CreateIndex: job.CreateIndex,
      ModifyIndex: Math.max(job.ModifyIndex, ...allocations.map((one) => one.ModifyIndex)),
    },
  }
}

function summaryOf(allocations: readonly Allocation[], queued: number): JsonObject {
  const are = (...statuses: readonly Allocation['ClientStatus'][]) =>
    allocations.filter(({ ClientStatus }) => statuses.includes(ClientStatus)).length
  return {
    Complete: are('complete'),
    Failed: are('failed'),
    Lost: are('lost'),
    Queued: queued,
    Running: are('running'),
    Starting: are('pending'),
    Unknown: are('unknown'),
  }
}

function groupOf(written: JsonObject): JsonObject {
  const restart = { ...RESTART, ...objectIn(written['RestartPolicy']) }
  return {
    ...known(GROUP, written),
    EphemeralDisk: { ...DISK, ...objectIn(written['EphemeralDisk']) },
    RestartPolicy: restart,
    ReschedulePolicy: { ...RESCHEDULE, ...objectIn(written['ReschedulePolicy']) },
    Tasks: objectsIn(written['Tasks']).map((task) => ({
      ...known(TASK, task),
      LogConfig: { ...LOGS, ...objectIn(task['LogConfig']) },
      Resources: { ...RESOURCES, ...objectIn(task['Resources']) },
      RestartPolicy: restart,
    })),
  }
}

/** Other keys are passed over, as the real one does with those of later releases. */
function known(defaults: JsonObject, written: JsonObject): JsonObject {
  const pairs = Object.entries(defaults).map(([key, value]) => [key, written[key] ?? value])
  return Object.fromEntries(pairs) as JsonObject
}

export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function objectIn(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}

function objectsIn(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isJsonObject) : []
}

const JOB: JsonObject = {
  ID: '',
  Affinities: null,
  AllAtOnce: false,
  Constraints: null,
  ConsulNamespace: '',
  ConsulToken: '',
  Datacenters: ['*'],
  DispatchIdempotencyToken: '',
  Dispatched: false,
  JobModifyIndex: 0,
  Meta: null,
  Multiregion: null,
  Namespace: 'default',
  NodePool: 'default',
  NomadTokenID: '',
  ParameterizedJob: null,
  ParentID: '',
  Payload: null,
  Periodic: null,
  Priority: 50,
  Region: 'global',
  Spreads: null,
  Stable: false,
  Status: 'pending',
  StatusDescription: '',
  Stop: false,
  Type: 'service',
  Update: {
    AutoPromote: false,
    AutoRevert: false,
    Canary: 0,
    HealthCheck: '',
    HealthyDeadline: 0,
    MaxParallel: 0,
    MinHealthyTime: 0,
    ProgressDeadline: 0,
    Stagger: 0,
  },
  VaultNamespace: '',
  VaultToken: '',
  Version: 0,
}

const STUB = new Set([
  ...['ID', 'ParentID', 'Name', 'Namespace', 'Datacenters', 'NodePool', 'Multiregion', 'Type'],
  ...['Priority', 'Stop', 'Status', 'StatusDescription', 'SubmitTime'],
  ...['CreateIndex', 'ModifyIndex', 'JobModifyIndex'],
])

const GROUP: JsonObject = {
  Name: '',
  Affinities: null,
  Constraints: null,
  Consul: { Namespace: '' },
  Count: 1,
  MaxClientDisconnect: null,
  Meta: null,
  Migrate: null,
  Networks: null,
  Scaling: null,
  Services: null,
  ShutdownDelay: null,
  Spreads: null,
  StopAfterClientDisconnect: null,
  Update: null,
  Volumes: null,
}

const TASK: JsonObject = {
  Name: '',
  Affinities: null,
  Artifacts: null,
  CSIPluginConfig: null,
  Config: null,
  Constraints: null,
  DispatchPayload: null,
  Driver: '',
  Env: null,
  Identity: null,
  KillSignal: '',
  KillTimeout: 5_000_000_000,
  Kind: '',
  Leader: false,
  Lifecycle: null,
  Meta: null,
  ScalingPolicies: null,
  Services: null,
  ShutdownDelay: 0,
  Templates: null,
  User: '',
  Vault: null,
  VolumeMounts: null,
}

const DISK: JsonObject = { Migrate: false, SizeMB: 300, Sticky: false }
const LOGS: JsonObject = { Disabled: false, MaxFileSizeMB: 10, MaxFiles: 10 }
const RESTART: JsonObject = {
  Attempts: 3,
  Delay: 15_000_000_000,
  Interval: 86_400_000_000_000,
  Mode: 'fail',
  RenderTemplates: false,
}
const RESCHEDULE: JsonObject = {
  Attempts: 1,
  Delay: 5_000_000_000,
  DelayFunction: 'constant',
  Interval: 86_400_000_000_000,
  MaxDelay: 0,
  Unlimited: false,
}
const RESOURCES: JsonObject = {
  CPU: 100,
  Cores: 0,
  Devices: null,
  DiskMB: 0,
  IOPS: 0,
  MemoryMB: 300,
  MemoryMaxMB: 0,
  Networks: null,
}
