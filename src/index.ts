/**
 * What users' own code imports from `longhaul`: the message contracts, and the port that a scheduler
 * adapter of their own implements.
 */
export {
  CancelTask,
  COMMAND_BODIES,
  EVENT_BODIES,
  RedriveTask,
  RunTask,
  TaskAccepted,
  TaskCancelled,
  TaskExited,
  TaskFailed,
  TaskRejected,
  TaskRetrying,
  TaskStarted,
  TaskSucceeded,
} from './core/messages.ts'
export type { CommandName, ErrorDetail, EventBody, EventName } from './core/messages.ts'
export type { WireAttempt, WireExit, WireOutcome, WireTask } from './core/wire.ts'
export type {
  CheckResult,
  SchedulerAdapter,
  SchedulerKind,
  SchedulerRefusal,
} from './ports/scheduler-adapter.ts'
export { sameIdentity } from './core/unit.ts'
export type { Observation, Sight, UnitIdentity, UnitSpec } from './core/unit.ts'
export { exitOfCode } from './core/exit.ts'
export type { ExitReason, ObservedExit } from './core/exit.ts'
export type { Service, TaskType } from './core/task-type.ts'
export type { Json } from './core/json.ts'
export { Rejected, Unavailable } from './core/errors.ts'
