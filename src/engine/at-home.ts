import { Unavailable } from '../core/errors.ts'
import type { Lease } from '../ports/leadership.ts'
import type { Logger } from '../ports/logger.ts'
import type { SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { Settled, TaskStore } from '../ports/task-store.ts'

/** Less than a start has, which may be the first to ask. */
const ASK_MS = 4_000

const REMEDY =
  'bring the configuration back until they are done, or, where they are gone for good, start once ' +
  'with --abandon-units'

/**
 * A leader's scheduler, of which nothing is asked before it is certain that the store's units are there:
 * one of another place would show none of them, all would count as lost and be run a second time.
 *
 * A leadership goes from `unsure` to `home` (for good: every call goes through) or to `elsewhere` (no call
 * does, and each asks again). Asking is two steps: the scheduler says where it is, and the store compares,
 * in one transaction under the lease, and moves only where it knows no unreleased attempt.
 *
 * - Ended before the transaction: nothing has happened. After it: the next leader finds the same home, or
 *   moves back, for no attempt was begun. Between it and its answer: it is asked again and is the same.
 * - Overtaken before it: `LeaseLost`, nothing is moved. After it: what this one has begun is in the store
 *   since before it asked the scheduler, so the next leader counts it and moves nothing.
 * - Abandoned and ended at once: whoever leads there finds the units missing, and lost by absence. Back at
 *   the old place the leader is elsewhere: it takes the flag again to return.
 */
export function atHome(deps: {
  readonly scheduler: SchedulerAdapter
  readonly tasks: Pick<TaskStore, 'settle'>
  readonly lease: Lease
  /** Moves whatever units there are. */
  readonly abandonUnits: boolean
  /** Told why no call goes through, and `undefined` from when they do. */
  readonly onHome: (refusal: string | undefined) => void
  readonly logger: Logger
  /** The leadership's. */
  readonly signal: AbortSignal
}): SchedulerAdapter {
  const { scheduler, tasks, lease, abandonUnits, onHome, logger, signal } = deps
  if (scheduler.home === undefined) return scheduler
  const whereIsIt = scheduler.home.bind(scheduler)
  let isHome = false
  let refused: string | undefined
  /** One for all that ask at a time. */
  let asking: Promise<void> | undefined

  async function ask(): Promise<void> {
    const here = await whereIsIt(AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]))
    const settled = await tasks.settle(here, lease, { abandon: abandonUnits })
    if (settled.at !== here) throw refusal(here, settled)
    const { moved } = settled
    if (moved !== undefined && moved.units > 0) {
      logger.warn('lead.units-abandoned', { ...moved, to: here })
    } else if (moved !== undefined) {
      logger.info('lead.moved', { from: moved.from, to: here })
    }
    // Whatever came of it, also where the answer to a move was lost with a connection.
    logger.info('lead.at-home', { home: here })
    isHome = true
    onHome(undefined)
  }

  function refusal(here: string, { at, units = 0 }: Settled): Unavailable {
    const message =
      `the units of this store are at ${at} (${units} of them), and this daemon's scheduler is at ` +
      `${here}, so nothing is started or ended: ${REMEDY}`
    if (message !== refused) {
      logger.error('lead.without-home', { here, unitsAt: at, units, remedy: REMEDY })
    }
    refused = message
    if (!signal.aborted) onHome(message)
    return new Unavailable('another-home', message)
  }

  async function sure(call: AbortSignal): Promise<void> {
    if (isHome) return
    asking ??= ask().finally(() => {
      asking = undefined
    })
    await unlessAborted(asking, call)
  }

  return {
    kind: scheduler.kind,
    ...(scheduler.startSettlesMs !== undefined && { startSettlesMs: scheduler.startSettlesMs }),
    ...(scheduler.resolve !== undefined && {
      async resolve(unit, call) {
        await sure(call)
        return await scheduler.resolve?.(unit, call)
      },
    }),
    async start(unit, call) {
      await sure(call)
      await scheduler.start(unit, call)
    },
    async stop(name, call) {
      await sure(call)
      await scheduler.stop(name, call)
    },
    async remove(name, call) {
      await sure(call)
      await scheduler.remove(name, call)
    },
    async list(call) {
      await sure(call)
      return await scheduler.list(call)
    },
    async watch(call) {
      await sure(call)
      return await scheduler.watch(call)
    },
    async *logs(name, options) {
      await sure(options.signal)
      yield* scheduler.logs(name, options)
    },
    check: (call) => scheduler.check(call),
    // It goes on for the next leadership: it is not this one's.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/** What others wait for as well goes on. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let giveUp = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => {
      reject(new Unavailable('aborted', 'the call was given up', signal.reason))
    }
  })
  signal.addEventListener('abort', giveUp)
  try {
    if (signal.aborted) giveUp()
    await Promise.race([aborted, work])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
