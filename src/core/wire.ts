import Type, { type Static } from 'typebox'
import { EXIT_REASONS, type Exit } from './exit.ts'
import { type Attempt, TASK_STATES, type Outcome, type TaskRecord } from './task.ts'

/** How a task and its parts look from outside: in events, over HTTP and in the CLI's JSON. */

const Time = Type.String({ format: 'date-time' })
const EndState = Type.Union([
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
])

export const WireExit = Type.Object(
  {
    reason: Type.Unsafe<Exit['reason']>({ type: 'string', enum: EXIT_REASONS }),
    fault: Type.Unsafe<Exit['fault']>({
      type: 'string',
      enum: ['none', 'task', 'configuration', 'infrastructure', 'operator'],
    }),
    code: Type.Optional(Type.Integer()),
    signal: Type.Optional(Type.String()),
    at: Time,
    message: Type.Optional(Type.String()),
    logTail: Type.Optional(Type.String()),
  },
  { description: 'How an attempt ended.' },
)
export type WireExit = Static<typeof WireExit>

export const WireAttempt = Type.Object({
  number: Type.Integer({ minimum: 1 }),
  run: Type.Integer({ minimum: 1 }),
  state: Type.Union([Type.Literal('starting'), Type.Literal('running'), Type.Literal('exited')]),
  startedAt: Type.Optional(Time),
  node: Type.Optional(Type.String()),
  unreachableSince: Type.Optional(Time),
  exit: Type.Optional(WireExit),
  lateExit: Type.Optional(WireExit),
})
export type WireAttempt = Static<typeof WireAttempt>

export const WireOutcome = Type.Object({
  state: EndState,
  at: Time,
  exit: Type.Optional(WireExit),
  rule: Type.Optional(Type.String()),
  by: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
})
export type WireOutcome = Static<typeof WireOutcome>

export const WireTask = Type.Object({
  id: Type.String({ description: '`<type>/<id>`' }),
  type: Type.String(),
  state: Type.Unsafe<(typeof TASK_STATES)[number]>({ type: 'string', enum: [...TASK_STATES] }),
  run: Type.Integer({ minimum: 1 }),
  input: Type.Unsafe<unknown>({ type: 'object' }),
  priority: Type.Integer(),
  createdAt: Time,
  dueAt: Type.Optional(Time),
  cancelRequested: Type.Optional(
    Type.Object({
      at: Time,
      by: Type.Optional(Type.String()),
      reason: Type.Optional(Type.String()),
    }),
  ),
  stuck: Type.Optional(Type.Object({ since: Time, reason: Type.String() })),
  attempts: Type.Array(WireAttempt),
  outcome: Type.Optional(WireOutcome),
})
export type WireTask = Static<typeof WireTask>

/** The record without its absent members, times in ISO 8601. */
export function toWireTask({ task, attempts }: TaskRecord): WireTask {
  return {
    id: task.id,
    type: task.type,
    state: task.state,
    run: task.run,
    input: task.input,
    priority: task.priority,
    createdAt: task.createdAt.toISOString(),
    ...(task.dueAt && task.state === 'queued' && { dueAt: task.dueAt.toISOString() }),
    ...(task.cancelRequested && {
      cancelRequested: { ...task.cancelRequested, at: task.cancelRequested.at.toISOString() },
    }),
    ...(task.stuck && {
      stuck: { since: task.stuck.since.toISOString(), reason: task.stuck.reason },
    }),
    attempts: attempts.map(toWireAttempt),
    ...(task.outcome && { outcome: toWireOutcome(task.outcome) }),
  }
}

export function toWireExit(exit: Exit): WireExit {
  return { ...exit, at: exit.at.toISOString() }
}

/** Without the end of its output: where an exit is told again, or nobody need read it. */
export function withoutTail<Told extends { readonly logTail?: string }>(
  exit: Told,
): Omit<Told, 'logTail'> {
  const { logTail: _, ...rest } = exit
  return rest
}

function toWireAttempt(attempt: Attempt): WireAttempt {
  // Of one that is over it is no news any more: the exit says it.
  const unreachableSince = attempt.exit === undefined ? attempt.unreachableSince : undefined
  return {
    number: attempt.number,
    run: attempt.run,
    state: attempt.state,
    ...(attempt.startedAt && { startedAt: attempt.startedAt.toISOString() }),
    ...(attempt.node !== undefined && { node: attempt.node }),
    ...(unreachableSince && { unreachableSince: unreachableSince.toISOString() }),
    ...(attempt.exit && { exit: toWireExit(attempt.exit) }),
    ...(attempt.lateExit && { lateExit: toWireExit(attempt.lateExit) }),
  }
}

function toWireOutcome({ at, exit, ...rest }: Outcome): WireOutcome {
  return { ...rest, at: at.toISOString(), ...(exit && { exit: toWireExit(exit) }) }
}
