import { once } from 'node:events'
import { ConfigError, errorMessage } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import { createLogger } from './logger.ts'
import { startDaemon } from './daemon.ts'
import { openParts } from './open-parts.ts'

/** sysexits: what the process manager and the person are told. */
const EXIT = { done: 0, failed: 1, configuration: 78 } as const

const STOP_LIMIT_MS = 9_500
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * The life of `longhaul run`: opens what the file names, starts, and stops at the first signal; the
 * second exits at once. Tasks that run go on either way. Gives the exit code.
 */
export async function runDaemon(options: {
  readonly configFile: string
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  /** Gives up, once, the units that are where this configuration's scheduler is not. */
  readonly abandonUnits?: boolean
}): Promise<number> {
  const logger = createLogger(options.env, process.stderr.isTTY)
  const asked = stopSignal(logger)
  // Before anything is read: an early SIGHUP must not end the process, and has nothing to read again yet.
  let reload = (): void => undefined
  process.on('SIGHUP', () => {
    reload()
  })
  try {
    await using parts = await openParts({ ...options, logger, signal: asked })
    {
      await using daemon = await startDaemon(parts)
      const { host, port } = daemon.address
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
      const { installation } = parts.store
      const types = parts.taskTypes.all().length
      logger.info('daemon.started', { url, config: options.configFile, types, installation })
      reload = () => void parts.taskTypes.reload()
      await aborted(asked)
    }
    logger.info('daemon.stopped', {})
    return EXIT.done
  } catch (error) {
    if (asked.aborted && error === asked.reason) return EXIT.done
    if (error instanceof ConfigError) {
      for (const issue of error.message.split('\n')) process.stderr.write(`${issue}\n`)
      return EXIT.configuration
    }
    logger.error('daemon.failed', { error: errorMessage(error), cause: causeOf(error) })
    return EXIT.failed
  }
}

/**
 * Whatever hangs while stopping, or still while starting (a database that answers nothing, another's
 * migration), must not outlast the 10 s that a process manager waits: all is in the store.
 */
function exitInTime(logger: Logger): void {
  setTimeout(() => {
    logger.warn('daemon.unfinished', { afterMs: STOP_LIMIT_MS })
    process.exit(EXIT.done)
  }, STOP_LIMIT_MS).unref()
}

function causeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return error.cause === undefined ? error.stack : errorMessage(error.cause)
}

/** Aborted by the first signal that asks to stop; the second exits the process. */
function stopSignal(logger: Logger): AbortSignal {
  const asked = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143)
    logger.info('daemon.stopping', { signal })
    exitInTime(logger)
    asked.abort()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return asked.signal
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
