import { type BusInstance, BusState } from '@node-ts/bus-core'
import { Unavailable } from '../core/errors.ts'
import { Bell } from '../engine/bell.ts'
import { createBus } from '../engine/bus.ts'
import { createCommands } from '../engine/commands.ts'
import { createControl } from '../engine/control.ts'
import { createDecider } from '../engine/decider.ts'
import { createDefinitions } from '../engine/definitions.ts'
import { createIntake } from '../engine/intake.ts'
import { runLeader } from '../engine/leader.ts'
import { runPublisher } from '../engine/publisher.ts'
import { createTransitions } from '../engine/transitions.ts'
import { createMetrics } from '../http/metrics.ts'
import { startHttp } from '../http/server.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { CheckResult, SchedulerAdapter, SchedulerKind } from '../ports/scheduler-adapter.ts'
import type { Store } from '../ports/store.ts'
import type { MessageTransport } from '../ports/transport.ts'
import type { LiveTaskTypes } from './live-task-types.ts'
import { receivedNames } from './message-names.ts'

/** What a daemon is made of: opened by `openParts`, or by a test that puts something in between. */
export interface DaemonParts {
  readonly store: Store
  readonly transport: MessageTransport
  readonly scheduler: SchedulerAdapter
  readonly schedulerKind: SchedulerKind
  /** Why this process must not lead, if it must not. */
  readonly mayNotLead?: string
  /** Units that are elsewhere are given up, once. */
  readonly abandonUnits?: boolean
  readonly taskTypes: LiveTaskTypes
  readonly listen: { readonly host: string; readonly port: number }
  readonly token?: string
  readonly limits: { readonly inFlight: number; readonly inputBytes: number }
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly logger: Logger
  readonly random: () => number
  readonly version: string
}

export interface Daemon extends AsyncDisposable {
  /** Where HTTP listens. */
  readonly address: { readonly host: string; readonly port: number }
}

/** Handlers in progress may take so long to finish when the daemon stops. */
const BUS_STOP_MS = 8_000

/**
 * Starts everything on the given parts: HTTP, the bus, the publisher and the wait for the lead. What
 * was started is stopped again in reverse order, also when starting fails half way; the parts
 * themselves are the caller's. Tasks that run go on.
 */
export async function startDaemon(parts: DaemonParts): Promise<Daemon> {
  const { store, transport, scheduler, schedulerKind, taskTypes, clock, logger } = parts
  await using started = new AsyncDisposableStack()
  const metrics = createMetrics({ tasks: store.tasks, clock })
  const meter = metrics
  const definitions = createDefinitions(store.tasks, parts.environment, logger)
  const transitions = createTransitions({ tasks: store.tasks, logger, meter })
  const decider = createDecider({ transitions, definitions, clock, logger, random: parts.random })
  const common = { tasks: store.tasks, taskTypes, clock, logger }
  const intake = createIntake({ ...common, inputLimitBytes: parts.limits.inputBytes })
  const control = createControl({ ...common, transitions, definitions })
  const commands = createCommands({ ...common, intake, control })

  const bus = await createBus({ ...common, transport, commands, decider, meter })
  started.defer(() => disposeBus(bus, transport))
  const handledNames = () => receivedNames(taskTypes.all().map(({ type }) => type))
  const subscribe = () => transport.subscribe(handledNames())
  await subscribe()
  started.defer(taskTypes.onChange(subscribe))

  // The address first: a daemon that cannot have it must not have started a task.
  let withoutHome: string | undefined
  const doors = new Doors()
  started.use(doors)
  const http = await startHttp({
    ...common,
    listen: parts.listen,
    ...(parts.token !== undefined && { token: parts.token }),
    inputLimitBytes: parts.limits.inputBytes,
    intake,
    control,
    events: store.events,
    onEvents: (listener) => store.onWrite('events', listener),
    warnings: (type) => [
      ...(schedulerKind.refusals?.(type) ?? []).map(
        ({ message }) => `${message}: no start will be taken`,
      ),
      ...schedulerKind.warnings(type),
    ],
    transport,
    handles: (name) => handledNames().includes(name),
    scheduler: {
      logs(name, options) {
        // This scheduler has nothing to say of units that are elsewhere: that is no empty log.
        if (withoutHome !== undefined) throw new Unavailable('another-home', withoutHome)
        return scheduler.logs(name, options)
      },
    },
    ready: () => readiness(parts, parts.mayNotLead ?? withoutHome),
    metrics,
    version: parts.version,
  })
  doors.close.push(async () => {
    await http[Symbol.asyncDispose]()
  })
  started.use(
    inBackground((signal) => {
      const bell = new Bell()
      const unlisten = store.onWrite('events', bell.ring)
      return runPublisher({
        events: store.events,
        transport,
        bell,
        clock,
        logger,
        meter,
        signal,
      }).finally(unlisten)
    }),
  )
  if (parts.mayNotLead === undefined) {
    const leader = {
      store,
      transitions,
      definitions,
      decider,
      scheduler,
      taskTypes,
      onTaskTypes: (listener: () => void) => taskTypes.onChange(listener),
      limitInFlight: parts.limits.inFlight,
      abandonUnits: parts.abandonUnits ?? false,
      onHome: (refusal: string | undefined) => {
        withoutHome = refusal
      },
      clock,
      logger,
      meter,
    }
    started.use(inBackground((signal) => runLeader(leader, signal)))
  } else {
    logger.error('lead.refused', { reason: parts.mayNotLead })
  }
  await bus.start()
  doors.close.push(() => stopBus(bus, clock, logger))
  // Closed before the loops end, and, where starting fails half way, with what was started.
  started.use(doors)
  const stack = started.move()
  return { address: http.address, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function readiness(
  parts: DaemonParts,
  whyNotLead: string | undefined,
): Promise<readonly CheckResult[]> {
  const limited = AbortSignal.timeout(5_000)
  return [
    await checkOf('store', parts.store.check()),
    ...(parts.transport.check ? [await checkOf('bus', parts.transport.check())] : []),
    ...leadCheck(whyNotLead),
    ...(await parts.scheduler.check(limited)),
  ]
}

/** A daemon that takes commands and may start none of them is not ready. */
function leadCheck(whyNot: string | undefined): readonly CheckResult[] {
  return whyNot === undefined ? [] : [{ name: 'lead', ok: false, message: whyNot }]
}

async function checkOf(name: string, check: Promise<void>): Promise<CheckResult> {
  try {
    await check
    return { name, ok: true, message: 'answers' }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return { name, ok: false, message: error.message }
  }
}

/** A loop of its own, outside every handler's context; disposing of it ends it and waits for that. */
function inBackground(run: (signal: AbortSignal) => Promise<void>): AsyncDisposable {
  const ended = new AbortController()
  const running = run(ended.signal)
  return {
    async [Symbol.asyncDispose]() {
      ended.abort()
      await running
    },
  }
}

/** What lets work in: closed once, side by side, for each may take its time. */
class Doors implements AsyncDisposable {
  readonly close: (() => Promise<void>)[] = []
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.close.splice(0).map((close) => close()))
  }
}

/** bus-core refuses to dispose of a bus whose handlers are not done; its transport is let go all the same. */
async function disposeBus(bus: BusInstance, transport: MessageTransport): Promise<void> {
  if (bus.state === BusState.Stopped) return bus.dispose()
  await transport.disconnect?.()
  await transport.dispose?.()
}

/** bus-core waits for its handlers without a limit; what is not finished by then comes again. */
async function stopBus(bus: BusInstance, clock: Clock, logger: Logger): Promise<void> {
  const done = new AbortController()
  const stopped = bus.stop().finally(() => {
    done.abort()
  })
  await Promise.race([stopped, clock.sleep(BUS_STOP_MS, done.signal)])
  if (!done.signal.aborted) logger.warn('bus.unfinished', { afterMs: BUS_STOP_MS })
}
