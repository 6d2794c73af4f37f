import Type, { type Static, type TObject, type TProperties } from 'typebox'
import { PRIORITY } from './admit.ts'
import { WireAttempt, WireExit } from './wire.ts'

/**
 * The messages that this daemon takes and sends (contracts, section 3). The classes are for users'
 * own code and for bus-core, which makes an empty one to read its name; the schemas describe the
 * bodies without `$name` and `$version`.
 */

const Time = Type.String({ format: 'date-time' })

export const RunTaskBody = Type.Object(
  {
    taskType: Type.String(),
    id: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
    input: Type.Unsafe<unknown>({ type: 'object' }),
    priority: Type.Optional(Type.Integer({ minimum: PRIORITY.min, maximum: PRIORITY.max })),
    notBefore: Type.Optional(Time),
  },
  { additionalProperties: false },
)
export type RunTaskBody = Static<typeof RunTaskBody>

export const CancelTaskBody = Type.Object(
  {
    taskId: Type.String(),
    reason: Type.Optional(Type.String({ maxLength: 2000 })),
    by: Type.Optional(Type.String({ maxLength: 200 })),
    run: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)
export type CancelTaskBody = Static<typeof CancelTaskBody>

export const RedriveTaskBody = Type.Object(
  {
    taskId: Type.String(),
    by: Type.Optional(Type.String({ maxLength: 200 })),
    run: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
)
export type RedriveTaskBody = Static<typeof RedriveTaskBody>

const Stamp = { eventId: Type.String(), at: Time }
const OfTask = {
  ...Stamp,
  run: Type.Integer({ minimum: 1 }),
  taskId: Type.String(),
  taskType: Type.String(),
  repeatOf: Type.Optional(
    Type.String({ description: 'The eventId that this answer to a repeated command repeats.' }),
  ),
}
const AttemptNumber = Type.Integer({ minimum: 1 })
const Rule = Type.String({ description: 'The rule or default that decided, in words.' })

export const ErrorDetail = Type.Object({
  code: Type.String(),
  pointer: Type.String({ description: 'JSON Pointer to what is wrong; empty for the whole.' }),
  message: Type.String(),
})
export type ErrorDetail = Static<typeof ErrorDetail>

export const EVENT_BODIES = {
  'longhaul/task-accepted': Type.Object(OfTask),
  'longhaul/task-rejected': Type.Object({
    ...Stamp,
    run: Type.Integer({ minimum: 1 }),
    commandId: Type.String(),
    errors: Type.Array(ErrorDetail),
  }),
  'longhaul/task-started': Type.Object({
    ...OfTask,
    attempt: AttemptNumber,
    node: Type.Optional(Type.String()),
  }),
  'longhaul/task-exited': Type.Object({ ...OfTask, attempt: AttemptNumber, exit: WireExit }),
  'longhaul/task-retrying': Type.Object({
    ...OfTask,
    attempt: AttemptNumber,
    dueAt: Time,
    rule: Rule,
  }),
  'longhaul/task-succeeded': Type.Object({ ...OfTask, attempts: Type.Array(WireAttempt) }),
  'longhaul/task-failed': Type.Object({
    ...OfTask,
    exit: WireExit,
    attempts: Type.Array(WireAttempt),
    rule: Rule,
  }),
  'longhaul/task-cancelled': Type.Object({
    ...OfTask,
    by: Type.Optional(Type.String()),
    reason: Type.Optional(Type.String()),
  }),
} as const satisfies Record<string, TObject>

export type EventName = keyof typeof EVENT_BODIES
export type EventBody<Name extends EventName> = Static<(typeof EVENT_BODIES)[Name]>

export const COMMAND_BODIES = {
  'longhaul/run-task': RunTaskBody,
  'longhaul/cancel-task': CancelTaskBody,
  'longhaul/redrive-task': RedriveTaskBody,
} as const satisfies Record<string, TObject>
export type CommandName = keyof typeof COMMAND_BODIES

/** A message class of a name: `new TaskExited(body)`; without a body it only bears its name. */
function messageClass<Name extends string, Body extends TProperties>(
  name: Name,
  _body: TObject<Body>,
): new (
  body?: Static<TObject<Body>>,
) => { readonly $name: Name; readonly $version: number } & Static<TObject<Body>> {
  class Message {
    readonly $name = name
    readonly $version = 1
    constructor(body?: object) {
      Object.assign(this, body)
    }
  }
  return Message as never
}

export const RunTask = messageClass('longhaul/run-task', RunTaskBody)
export const CancelTask = messageClass('longhaul/cancel-task', CancelTaskBody)
export const RedriveTask = messageClass('longhaul/redrive-task', RedriveTaskBody)
export const TaskAccepted = messageClass(
  'longhaul/task-accepted',
  EVENT_BODIES['longhaul/task-accepted'],
)
export const TaskRejected = messageClass(
  'longhaul/task-rejected',
  EVENT_BODIES['longhaul/task-rejected'],
)
export const TaskStarted = messageClass(
  'longhaul/task-started',
  EVENT_BODIES['longhaul/task-started'],
)
export const TaskExited = messageClass('longhaul/task-exited', EVENT_BODIES['longhaul/task-exited'])
export const TaskRetrying = messageClass(
  'longhaul/task-retrying',
  EVENT_BODIES['longhaul/task-retrying'],
)
export const TaskSucceeded = messageClass(
  'longhaul/task-succeeded',
  EVENT_BODIES['longhaul/task-succeeded'],
)
export const TaskFailed = messageClass('longhaul/task-failed', EVENT_BODIES['longhaul/task-failed'])
export const TaskCancelled = messageClass(
  'longhaul/task-cancelled',
  EVENT_BODIES['longhaul/task-cancelled'],
)

// Each is a type too, as a class of anybody's own would be: `handle(exited: TaskExited)`.
export type RunTask = InstanceType<typeof RunTask>
export type CancelTask = InstanceType<typeof CancelTask>
export type RedriveTask = InstanceType<typeof RedriveTask>
export type TaskAccepted = InstanceType<typeof TaskAccepted>
export type TaskRejected = InstanceType<typeof TaskRejected>
export type TaskStarted = InstanceType<typeof TaskStarted>
export type TaskExited = InstanceType<typeof TaskExited>
export type TaskRetrying = InstanceType<typeof TaskRetrying>
export type TaskSucceeded = InstanceType<typeof TaskSucceeded>
export type TaskFailed = InstanceType<typeof TaskFailed>
export type TaskCancelled = InstanceType<typeof TaskCancelled>
