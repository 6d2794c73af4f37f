import {
  Bus,
  type BusInstance,
  messageHandlingContext,
  type LoggerFactory,
} from '@node-ts/bus-core'
import type { MessageAttributes } from '@node-ts/bus-messages'
import { Unavailable } from '../core/errors.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { handlersError } from '../core/message-error.ts'
import { COMMAND_BODIES, TaskExited } from '../core/messages.ts'
import { MOST_TRIES } from '../core/retry-pauses.ts'
import type { StickyAttributes } from '../core/task.ts'
import type { Logger } from '../ports/logger.ts'
import type { Meter } from '../ports/meter.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { MessageTransport, RawMessage } from '../ports/transport.ts'
import type { Commands } from './commands.ts'
import type { Decider } from './decider.ts'
import { TaskWorkflow, TaskWorkflowPersistence } from './workflow.ts'

/**
 * Handlers of messages that run side by side, and messages that are fetched at a time. They wait for the
 * store, which takes what comes together in one transaction: with 16, Postgres accepts half as much.
 */
const BUS_CONCURRENCY = 64

const TASK_EXITED = new TaskExited().$name

/** The names that this daemon takes whatever its task types are. */
export const OWN_NAMES: readonly string[] = [...Object.keys(COMMAND_BODIES), TASK_EXITED]

/**
 * The bus, built and initialised but not started. One process has one: bus-core's handling context is
 * the process's. `TaskExited` goes to the workflow; every other name that arrives goes to one custom
 * handler, for bus-core deletes a message that has none, and takes no more handlers once it is built.
 */
export async function createBus(deps: {
  readonly transport: MessageTransport
  readonly commands: Commands
  readonly decider: Decider
  readonly tasks: Pick<TaskStore, 'find'>
  readonly logger: Logger
  readonly meter: Meter
}): Promise<BusInstance> {
  const { transport, commands, decider, tasks, logger, meter } = deps

  const handleCommand = async (message: JsonObject, attributes: MessageAttributes) => {
    const context = messageHandlingContext.get() as
      { readonly id?: string; readonly raw: RawMessage } | undefined
    const { $name, $version: _, ...body } = message
    await commands.handle({
      name: typeof $name === 'string' ? $name : '',
      body: body,
      messageId: context?.id ?? '',
      ...(attributes.correlationId !== undefined && { correlationId: attributes.correlationId }),
      attributes: attributes.attributes as StickyAttributes,
      stickyAttributes: attributes.stickyAttributes as StickyAttributes,
      tries: context?.raw.tries ?? 0,
      mostTries: MOST_TRIES,
    })
  }

  const configuration = Bus.configure()
    .withTransport(transport)
    .withConcurrency(BUS_CONCURRENCY)
    .withLogger(busLogger(logger))
    .withContainer({ get: () => new TaskWorkflow(decider) as never })
    .withPersistence(new TaskWorkflowPersistence(tasks))
    .withWorkflow(TaskWorkflow as never)
    .withCustomHandler(handleCommand, {
      resolveWith: (message) => isJsonObject(message) && message['$name'] !== TASK_EXITED,
    })
  // bus-core would install handlers of its own, which stop the bus behind the daemon's back; there is
  // no public way to have none (a test pins the field's name).
  Reflect.set(configuration, 'interruptSignals', [])
  const bus = configuration.build()
  bus.onError.on(({ error, rawMessage }) => {
    if (rawMessage === undefined) return
    const raw = rawMessage.raw as RawMessage
    // Called just before the message is given back: the transport is not told why otherwise.
    transport.failed(raw, error)
    const cause = handlersError(error)
    // What could not be tried is given back, and counts for nothing.
    if (cause instanceof Unavailable) return
    if (raw.tries + 1 < MOST_TRIES) meter.message('retried')
  })
  transport.onBuried(() => {
    meter.message('dead-lettered')
  })
  bus.afterDispatch.on(() => {
    meter.message('handled')
  })
  await bus.initialize()
  return bus
}

/** bus-core hands whole messages to its logger: only its words and what names a message get through. */
function busLogger(logger: Logger): LoggerFactory {
  const line = (text: string, meta?: object): void => {
    const inner = meta as { readonly messageName?: unknown } | undefined
    const name = inner?.messageName
    logger.debug('bus.says', { text, ...(typeof name === 'string' && { name }) })
  }
  return (source) => ({
    debug: () => undefined,
    trace: () => undefined,
    info: line,
    warn: line,
    error: (text, meta) => {
      line(`${source}: ${text}`, meta)
    },
    fatal: line,
  })
}
