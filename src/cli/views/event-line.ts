import { isJsonObject, type JsonObject } from '../../core/json.ts'
import type { WireExit } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'
import type { Format, Screen } from '../terminal/screen.ts'
import { exitWords } from './exit-words.ts'

/** An event on one line: when, its name, its task, and what there is to say of it. */
export function eventLine(screen: Screen, name: string, message: JsonObject): string {
  const at = textIn(message, 'at')
  const task = oneLine(textIn(message, 'taskId') || '-')
  const words = wordsOf(screen, name, message)
  if (!screen.rich) return [at, oneLine(name), task, words].join('\t')
  const time = screen.paint('dim', localTime(at))
  const colour = COLOURS[name]
  const shown = oneLine(name).padEnd(24)
  const line = [time, colour === undefined ? shown : screen.paint(colour, shown), task, words]
  return line.join('  ').trimEnd()
}

const COLOURS: Readonly<Record<string, Format>> = {
  'longhaul/task-succeeded': 'green',
  'longhaul/task-failed': 'red',
  'longhaul/task-rejected': 'red',
  'longhaul/task-retrying': 'yellow',
  'longhaul/task-cancelled': 'magenta',
}

function localTime(iso: string): string {
  const date = new Date(iso)
  // Swedish writes dates as ISO does, and in local time.
  return Number.isNaN(date.getTime()) ? oneLine(iso) : date.toLocaleString('sv-SE')
}

function wordsOf(screen: Screen, name: string, message: JsonObject): string {
  const { run, attempt, exit, rule, dueAt, node, by, reason, errors } = message
  const parts = [
    ...(typeof run === 'number' && run > 1 ? [`run ${run}`] : []),
    ...(typeof attempt === 'number' ? [`attempt ${attempt}`] : []),
    ...(typeof node === 'string' && name !== 'longhaul/task-exited' ? [`on ${node}`] : []),
    ...(isJsonObject(exit) ? [exitWords(exit as unknown as WireExit)] : []),
    ...(typeof dueAt === 'string' ? [`next ${screen.when(dueAt)}`] : []),
    ...(typeof by === 'string' ? [`by ${by}`] : []),
    ...(typeof reason === 'string' ? [reason] : []),
    ...(Array.isArray(errors) ? [mistakes(errors)] : []),
  ]
  const why = typeof rule === 'string' ? `; ${rule}` : ''
  return oneLine(`${parts.join(', ')}${why}`.replace(/^; /, ''))
}

function mistakes(errors: readonly unknown[]): string {
  return errors
    .filter((error) => isJsonObject(error))
    .map((error) => `${textIn(error, 'pointer')} ${textIn(error, 'message')}`.trim())
    .join('; ')
}

function textIn(message: JsonObject, key: string): string {
  const value = message[key]
  return typeof value === 'string' ? value : ''
}
