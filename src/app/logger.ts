import { pino, type DestinationStream } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { Logger } from '../ports/logger.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

/**
 * One line for each thing that happens, on standard error: JSON, or readable on a terminal.
 * `LONGHAUL_LOG` is the least level that is shown (`info` by default).
 */
export function createLogger(env: NodeJS.ProcessEnv, pretty: boolean): Logger {
  const wanted = LEVELS.find((level) => level === env['LONGHAUL_LOG']) ?? 'info'
  const output: DestinationStream = pretty
    ? PinoPretty({
        destination: 2,
        sync: true,
        ignore: 'pid,hostname',
        translateTime: 'SYS:HH:MM:ss.l',
        singleLine: true,
      })
    : pino.destination({ dest: 2, sync: true })
  const logger = pino(
    {
      level: wanted,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    output,
  )
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: object = {}): void => {
      logger[level](fields, event)
    }
  const asked = env['LONGHAUL_LOG']
  if (asked !== undefined && asked !== wanted) {
    at('warn')('log.level-unknown', { LONGHAUL_LOG: asked, levels: LEVELS, used: wanted })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
