import { ConfigError, Rejected, Unavailable } from '../core/errors.ts'
import { Refused } from './http/refused.ts'

/** What the caller is told by the process (contracts, section 5; the high ones after sysexits). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  invalidInput: 65,
  noDaemon: 69,
  configuration: 78,
  interrupted: 130,
  /** As a shell says of a program that SIGPIPE ended: who reads may not take it for a success. */
  brokenPipe: 141,
} as const

/** Undefined: it is none of the errors that are thrown on purpose. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof ConfigError) return EXIT.configuration
  if (error instanceof Unavailable) return EXIT.noDaemon
  if (error instanceof Refused) {
    return error.status === 413 || error.status === 422 ? EXIT.invalidInput : EXIT.failed
  }
  if (!(error instanceof Rejected)) return undefined
  if (error.code === 'usage') return EXIT.usage
  return error.code === 'invalid-input' ? EXIT.invalidInput : EXIT.failed
}
