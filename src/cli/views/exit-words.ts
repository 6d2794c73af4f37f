import type { WireExit } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'

/** How an attempt ended, in one line: `failed, exit code 3: …`, `killed by SIGKILL, exit code 137`. */
export function exitWords({ reason, code, signal, message }: WireExit): string {
  const by = signal === undefined ? '' : reason === 'killed' ? ` by ${signal}` : `, ${signal}`
  const withCode = code === undefined || reason === 'completed' ? '' : `, exit code ${code}`
  const why = message === undefined || message === '' ? '' : `: ${oneLine(message)}`
  return `${reason}${by}${withCode}${why}`
}
