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
export type { CommandName, EventBody, EventName } from './core/messages.ts'
export type { WireAttempt, WireExit, WireOutcome, WireTask } from './core/wire.ts'
export type { Observation, UnitIdentity, UnitSpec } from './core/unit.ts'
export type { CheckResult, SchedulerAdapter, SchedulerKind } from './ports/scheduler-adapter.ts'
export { Rejected, Unavailable } from './core/errors.ts'
