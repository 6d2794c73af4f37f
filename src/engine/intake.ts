import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { PRIORITY } from '../core/admit.ts'
import type { EventDraft } from '../core/change.ts'
import { acceptedEvents, outcomeEvents } from '../core/events.ts'
import { atPointer, canonicalJson, type JsonObject, nestedDeeperThan } from '../core/json.ts'
import { type Command, concurrencyKey, newTask } from '../core/lifecycle.ts'
import type { ErrorDetail } from '../core/messages.ts'
import type { TaskRecord } from '../core/task.ts'
import type { TaskType } from '../core/task-type.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { LoadedTaskType } from './task-types.ts'
import { logEvent } from './transitions.ts'

/** Linux refuses a longer string in an environment (MAX_ARG_STRLEN), its name and NUL included. */
const LONGEST_ENVIRONMENT_STRING = 131_072
/** It stands in an index, and Postgres has none for more than 2.7 KB. */
const LONGEST_KEY_BYTES = 1_000
/** Beyond it JSON's own recursion, here and in the programs, comes to its end. */
const DEEPEST_INPUT = 200

export interface RunRequest {
  readonly loaded: LoadedTaskType
  /** The sender's id, where the type's pointer does not give it. */
  readonly id?: string | number
  readonly input: JsonObject
  readonly priority?: number
  readonly notBefore?: Date
  readonly command: Command
  /** What is wrong with the request around the input: it is told together with what is wrong in it. */
  readonly mistakes?: readonly ErrorDetail[]
}

export type RunResult =
  | { readonly kind: 'accepted'; readonly record: TaskRecord }
  /** The id is known, with the same input; `redelivered`: by this very command. */
  | { readonly kind: 'known'; readonly record: TaskRecord; readonly redelivered: boolean }
  | {
      readonly kind: 'conflict'
      readonly record: TaskRecord
      readonly errors: readonly ErrorDetail[]
    }
  | {
      readonly kind: 'rejected'
      readonly code: 'too-large' | 'invalid'
      readonly errors: readonly ErrorDetail[]
    }

/** Validate, dedupe, insert: nothing else happens before a command is acknowledged. */
export interface Intake {
  runTask(request: RunRequest): Promise<RunResult>
}

export function createIntake(deps: {
  readonly tasks: TaskStore
  readonly clock: Clock
  readonly logger: Logger
  readonly inputLimitBytes: number
}): Intake {
  const { tasks, clock, logger, inputLimitBytes } = deps
  return {
    async runTask(request) {
      const { loaded, input, command, priority, notBefore, mistakes = [] } = request
      if (nestedDeeperThan(input, DEEPEST_INPUT)) {
        const message = `the input is nested deeper than ${DEEPEST_INPUT} levels`
        const errors = [{ code: 'input-too-deep', pointer: '', message }]
        return { kind: 'rejected', code: 'invalid', errors }
      }
      const size = Buffer.byteLength(JSON.stringify(input))
      const tooLarge = tooLargeError(size, inputLimitBytes)
      if (tooLarge) return { kind: 'rejected', code: 'too-large', errors: [tooLarge] }
      const id = idOf(request)
      const errors = [
        ...mistakes,
        ...('error' in id ? [id.error] : []),
        ...loaded.validateInput(input).map((error) => ({ code: 'schema', ...error })),
        ...keyErrors(loaded.type, input),
        ...priorityErrors(priority),
        ...timeErrors(notBefore),
      ]
      if ('error' in id || errors.length > 0) return { kind: 'rejected', code: 'invalid', errors }
      const wanted = {
        id: id.id,
        uid: randomBytes(10).toString('hex'),
        input,
        ...(priority !== undefined && { priority }),
        ...(notBefore !== undefined && { notBefore }),
      }
      const { task, events } = newTask(loaded.type, wanted, command, clock.now())
      const { accepted, record } = await tasks.accept(task, loaded.definition, events)
      if (accepted) {
        for (const event of events) logEvent(logger, event.name, event.message)
        return { kind: 'accepted', record }
      }
      if (canonicalJson(record.task.input) !== canonicalJson(input)) {
        const message = `the id ${record.task.id} is known with another input: use another id`
        return { kind: 'conflict', record, errors: [{ code: 'id-conflict', pointer: '', message }] }
      }
      // Without an id of its own a message cannot be told from a repeat.
      const redelivered = command.messageId !== '' && record.task.acceptedBy === command.messageId
      return { kind: 'known', record, redelivered }
    },
  }
}

/**
 * What a repeated command is told: that the task is accepted, or how it ended. The id is made of both
 * commands' ids and of what is told, so that a repeat which is delivered again is answered once, and
 * hears the outcome all the same if it first heard of the acceptance.
 */
export function answerToRepeat(
  { task, attempts }: TaskRecord,
  eventNames: LoadedTaskType['type']['eventNames'],
  repeat: Command,
  now: Date,
): readonly EventDraft[] {
  const record = { task, attempts }
  const events =
    task.outcome === undefined
      ? acceptedEvents(task, { eventNames }, now)
      : outcomeEvents(record, { eventNames })
  // Without a message id nothing tells one repeat from the next: each is answered.
  const repeatId = repeat.messageId === '' ? randomUUID() : repeat.messageId
  const answerId = (original: string): string => {
    const what = original.slice(task.uid.length)
    return createHash('sha256').update(`${task.acceptedBy}\n${repeatId}\n${what}`).digest('hex')
  }
  return events.map(({ correlationId: _, ...event }) => ({
    ...event,
    eventId: answerId(event.eventId),
    message: {
      ...event.message,
      eventId: answerId(event.eventId),
      repeatOf: event.eventId,
    },
    ...(repeat.correlationId !== undefined && { correlationId: repeat.correlationId }),
    attributes: repeat.attributes,
    stickyAttributes: repeat.stickyAttributes,
  }))
}

function tooLargeError(size: number, limit: number): ErrorDetail | undefined {
  const most = Math.min(limit, LONGEST_ENVIRONMENT_STRING - 'LONGHAUL_INPUT='.length - 1)
  if (size <= most) return undefined
  const why =
    most < limit
      ? 'an environment string of Linux holds 128 KiB, and the input must fit into LONGHAUL_INPUT'
      : 'see limits.input in the configuration'
  const message = `the input has ${size} bytes, at most ${most} are taken (${why}): put it where the task can fetch it, and send a reference`
  return { code: 'input-too-large', pointer: '', message }
}

function idOf(request: RunRequest): { readonly id: string } | { readonly error: ErrorDetail } {
  const { type } = request.loaded
  const pointer = type.idPointer
  const given = request.id
  if (pointer === undefined) {
    const id = given ?? request.command.messageId
    if (given === undefined && id === '') {
      const message = `the message has no id and ${type.name} has no x-task.id: give either`
      return { error: { code: 'no-id', pointer: '', message } }
    }
    return checkedId(id, '')
  }
  const found = atPointer(request.input, pointer)
  if (found === undefined || (typeof found !== 'string' && typeof found !== 'number')) {
    const message = `${type.name} takes its id from ${pointer}: a string or an integer must stand there`
    return { error: { code: 'bad-id', pointer, message } }
  }
  if (given !== undefined && String(given) !== String(found)) {
    const message = `the id ${JSON.stringify(given)} differs from the one at ${pointer}, which decides`
    return { error: { code: 'id-mismatch', pointer, message } }
  }
  return checkedId(found, pointer)
}

function checkedId(
  id: string | number,
  pointer: string,
): { readonly id: string } | { readonly error: ErrorDetail } {
  const text = String(id)
  const fits =
    (typeof id === 'string' || Number.isSafeInteger(id)) &&
    text.length >= 1 &&
    text.length <= 200 &&
    // Dot segments cannot be addressed over HTTP: every client takes them out of the path.
    text !== '.' &&
    text !== '..' &&
    // eslint-disable-next-line no-control-regex -- control characters are what is refused
    !/[\u0000-\u001f\u007f-\u009f]/.test(text) &&
    text.isWellFormed()
  if (fits) return { id: text }
  const message =
    'an id is a string or an integer of 1 to 200 characters without control characters, and not . or ..'
  return { error: { code: 'bad-id', pointer, message } }
}

function keyErrors(type: TaskType, input: JsonObject): ErrorDetail[] {
  if (Buffer.byteLength(concurrencyKey(type, input)) <= LONGEST_KEY_BYTES) return []
  const message = `what concurrency is counted by has at most ${LONGEST_KEY_BYTES} bytes`
  return [{ code: 'key-too-long', pointer: type.concurrency?.key ?? '', message }]
}

function priorityErrors(priority: number | undefined): ErrorDetail[] {
  if (priority === undefined) return []
  if (Number.isInteger(priority) && priority >= PRIORITY.min && priority <= PRIORITY.max) return []
  const message = `a priority is an integer from ${PRIORITY.min} to ${PRIORITY.max}`
  return [{ code: 'bad-priority', pointer: '/priority', message }]
}

/** The format of times lets leap seconds through, which no Date can be. */
function timeErrors(notBefore: Date | undefined): ErrorDetail[] {
  if (notBefore === undefined || !Number.isNaN(notBefore.getTime())) return []
  return [{ code: 'bad-time', pointer: '/notBefore', message: 'there is no such time' }]
}
