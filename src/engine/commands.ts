import { createHash, randomUUID } from 'node:crypto'
import Type, { type TObject } from 'typebox'
import { Value } from 'typebox/value'
import { rejectedEvent } from '../core/events.ts'
import { Rejected, TryAgain } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { Command } from '../core/lifecycle.ts'
import {
  COMMAND_BODIES,
  type CancelTaskBody,
  type ErrorDetail,
  type RedriveTaskBody,
  type RunTaskBody,
} from '../core/messages.ts'
import type { Clock } from '../ports/clock.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { Control, ControlResult, Wish } from './control.ts'
import { answerToRepeat, type Intake, type RunRequest } from './intake.ts'
import type { LoadedTaskType, TaskTypes } from './task-types.ts'
import { logEvent } from './transitions.ts'
import type { Logger } from '../ports/logger.ts'

/** A command as the bus has brought it. */
export interface ReceivedCommand extends Command {
  readonly name: string
  /** The body without `$name` and `$version`. */
  readonly body: JsonObject
  /** Tries that have failed before this one, and how many there are in all. */
  readonly tries: number
  readonly mostTries: number
}

export interface Commands {
  /**
   * Resolves when the command has had its effect or its sender has been told why not; both are in the
   * store then. Throws to have it brought again.
   */
  handle(command: ReceivedCommand): Promise<void>
}

/**
 * Pauses after each failed try while a task is not known yet: a command may overtake the one that it
 * speaks of. Together a minute.
 */
const UNKNOWN_TASK_PAUSES_MS = [1_000, 5_000, 25_000, 25_000, 5_000]

/** What bus commands come to. Nothing is published here: answers go into the outbox. */
export function createCommands(deps: {
  readonly intake: Intake
  readonly control: Control
  readonly tasks: TaskStore
  readonly taskTypes: TaskTypes
  readonly clock: Clock
  readonly logger: Logger
}): Commands {
  const { intake, control, tasks, taskTypes, clock, logger } = deps

  async function reject(
    command: ReceivedCommand,
    errors: readonly ErrorDetail[],
    run = 1,
  ): Promise<void> {
    const commandId = command.messageId === '' ? `unidentified-${randomUUID()}` : command.messageId
    const why = createHash('sha256').update(JSON.stringify(errors)).digest('hex').slice(0, 16)
    const event = rejectedEvent({
      eventId: `${commandId}.rejected.${why}`,
      commandId,
      errors,
      at: clock.now(),
      run,
      ...(command.correlationId !== undefined && { correlationId: command.correlationId }),
      stickyAttributes: command.stickyAttributes,
    })
    await tasks.append([event])
    logEvent(logger, event.name, event.message)
  }

  /** Never acknowledged away: a rolling update may bring the type. With the last try its sender is told. */
  async function unknownType(command: ReceivedCommand, message: string): Promise<never> {
    if (command.tries + 1 >= command.mostTries) {
      await reject(command, [{ code: 'unknown-task-type', pointer: '', message }])
    }
    throw new Rejected('unknown-task-type', message)
  }

  async function run(command: ReceivedCommand, request: RunRequest): Promise<void> {
    const result = await intake.runTask(request)
    switch (result.kind) {
      case 'accepted':
        return
      case 'known':
        if (result.redelivered) return
        await tasks.append(
          answerToRepeat(
            result.record,
            request.loaded.type.eventNames,
            request.command,
            clock.now(),
          ),
        )
        return
      case 'conflict':
        return reject(command, result.errors, result.record.task.run)
      case 'rejected':
        return reject(command, result.errors)
    }
  }

  async function runOwnCommand(command: ReceivedCommand, loaded: LoadedTaskType): Promise<void> {
    const priority = command.attributes['longhaul-priority']
    const notBefore = command.attributes['longhaul-not-before']
    const badPriority = integerErrors(priority, 'longhaul-priority')
    const badTime = timeErrors(notBefore, 'longhaul-not-before')
    return run(command, {
      loaded,
      input: command.body,
      command,
      mistakes: [...badPriority, ...badTime],
      ...(priority !== undefined && badPriority.length === 0 && { priority: Number(priority) }),
      ...(typeof notBefore === 'string' &&
        badTime.length === 0 && { notBefore: new Date(notBefore) }),
    })
  }

  async function runTask(command: ReceivedCommand): Promise<void> {
    const body = command.body as unknown as RunTaskBody
    const loaded = taskTypes.byName(body.taskType)
    if (loaded === undefined) {
      return unknownType(command, `there is no task type ${JSON.stringify(body.taskType)} here`)
    }
    const { id, priority, notBefore } = body
    const badTime = timeErrors(notBefore, '/notBefore')
    return run(command, {
      loaded,
      input: body.input as JsonObject,
      command,
      mistakes: badTime,
      ...(id !== undefined && { id }),
      ...(priority !== undefined && { priority }),
      ...(notBefore !== undefined && badTime.length === 0 && { notBefore: new Date(notBefore) }),
    })
  }

  async function controlTask(
    command: ReceivedCommand,
    act: (wish: Wish) => Promise<ControlResult>,
  ): Promise<void> {
    const body = command.body as unknown as CancelTaskBody & RedriveTaskBody
    const { taskId, by, reason, run } = body
    const result = await act({
      taskId,
      ...(by !== undefined && { by }),
      ...(reason !== undefined && { reason }),
      ...(run !== undefined && { run }),
      ...(command.messageId !== '' && { commandId: command.messageId }),
    })
    switch (result.kind) {
      case 'done':
      case 'already':
        return
      case 'refused': {
        const { code, message, record } = result
        return reject(command, [{ code, pointer: '', message }], record.task.run)
      }
      case 'unknown': {
        const message = `there is no task ${JSON.stringify(taskId)}`
        const pauseMs = UNKNOWN_TASK_PAUSES_MS[command.tries]
        if (pauseMs !== undefined) throw new TryAgain('unknown-task', message, pauseMs)
        return reject(command, [{ code: 'unknown-task', pointer: '/taskId', message }], run)
      }
    }
  }

  return {
    async handle(command) {
      const schema = COMMAND_BODIES[command.name as keyof typeof COMMAND_BODIES] as
        TObject | undefined
      if (schema === undefined) {
        const loaded = taskTypes.byCommand(command.name)
        if (loaded !== undefined) return runOwnCommand(command, loaded)
        return unknownType(command, `no task type here is asked for by ${command.name}`)
      }
      const errors = [...Value.Errors(schema, command.body)].map((error) => ({
        code: 'schema',
        pointer: error.instancePath,
        message: error.message,
      }))
      if (errors.length > 0) return reject(command, errors)
      switch (command.name) {
        case 'longhaul/run-task':
          return runTask(command)
        case 'longhaul/cancel-task':
          return controlTask(command, (wish) => control.cancel(wish))
        default:
          return controlTask(command, (wish) => control.redrive(wish))
      }
    },
  }
}

function integerErrors(value: unknown, pointer: string): ErrorDetail[] {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (value === undefined || Number.isInteger(number)) return []
  return [{ code: 'bad-priority', pointer, message: `${pointer} must be an integer` }]
}

const TIME = Type.String({ format: 'date-time' })

function timeErrors(value: unknown, pointer: string): ErrorDetail[] {
  if (value === undefined) return []
  // The format lets leap seconds through, which no Date can be; Date lets almost anything through.
  const bad = !Value.Check(TIME, value) || Number.isNaN(Date.parse(value))
  return bad ? [{ code: 'bad-time', pointer, message: `${pointer} must be an ISO 8601 time` }] : []
}
