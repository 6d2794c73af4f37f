import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts'
import type { EndState } from '../../core/task.ts'
import type { WireExit, WireTask } from '../../core/wire.ts'
import { oneLine } from '../terminal/printable.ts'
import { exitWords } from './exit-words.ts'

/** Something that happened to a task, told once. */
export interface Step {
  readonly kind: 'accepted' | 'started' | 'exited' | 'retrying' | EndState
  readonly run: number
  readonly at: string
  readonly attempt?: number
  readonly node?: string
  readonly exit?: WireExit
  readonly dueAt?: string
  readonly rule?: string
  readonly by?: string
  readonly reason?: string
}

/**
 * Makes steps of events, which may be repeated or missing, and of the task as it is, which fills in what
 * is missing. Each step comes at most once and in order; of runs before `run` nothing is told.
 */
export interface Progress {
  event(name: string, message: JsonObject): readonly Step[]
  task(task: WireTask): readonly Step[]
}

/** The order of the steps within an attempt; an outcome comes after every attempt of its run. */
const RANK = { accepted: 0, started: 1, exited: 2, retrying: 3 } as const

export function createProgress(run: number): Progress {
  let told = [run, -1, 0]

  const news = (steps: readonly Step[]): readonly Step[] =>
    steps.filter((step) => {
      const place = placeOf(step)
      if (!isAfter(place, told)) return false
      told = place
      return true
    })

  return {
    event: (name, message) => news(stepOfEvent(name, message)),
    task: (task) => news(stepsOfTask(task)),
  }
}

function placeOf({ kind, run, attempt = 0 }: Step): number[] {
  return kind in RANK
    ? [run, attempt, RANK[kind as keyof typeof RANK]]
    : [run, Number.POSITIVE_INFINITY, 0]
}

function isAfter(place: readonly number[], told: readonly number[]): boolean {
  const i = place.findIndex((part, at) => part !== told[at])
  return i !== -1 && (place[i] ?? 0) > (told[i] ?? 0)
}

const PREFIX = 'longhaul/task-'
const KINDS = new Set([
  'accepted',
  'started',
  'exited',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
])

/** A type's own events tell nothing that the daemon's do not. */
function stepOfEvent(name: string, message: JsonObject): readonly Step[] {
  const kind = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : ''
  const { run, at } = message
  if (!KINDS.has(kind) || typeof run !== 'number' || typeof at !== 'string') return []
  // What a repeated command is answered tells of the past.
  if (message['repeatOf'] !== undefined) return []
  return [
    {
      kind: kind as Step['kind'],
      run,
      at,
      ...(typeof message['attempt'] === 'number' && { attempt: message['attempt'] }),
      ...(isJsonObject(message['exit']) && { exit: message['exit'] as unknown as WireExit }),
      ...texts(message, ['node', 'dueAt', 'rule', 'by', 'reason']),
    },
  ]
}

function texts<Key extends string>(
  message: JsonObject,
  keys: readonly Key[],
): Partial<Record<Key, string>> {
  const found: Partial<Record<Key, string>> = {}
  for (const key of keys) {
    const value: Json | undefined = message[key]
    if (typeof value === 'string') found[key] = value
  }
  return found
}

function stepsOfTask({ run, createdAt, state, dueAt, attempts, outcome }: WireTask): Step[] {
  const steps: Step[] = run === 1 ? [{ kind: 'accepted', run, at: createdAt }] : []
  for (const { number: attempt, run: of, startedAt, node, exit } of attempts) {
    if (startedAt !== undefined) {
      steps.push({ kind: 'started', run: of, attempt, at: startedAt, ...(node && { node }) })
    }
    if (exit !== undefined) steps.push({ kind: 'exited', run: of, attempt, at: exit.at, exit })
  }
  const last = attempts.at(-1)
  if (state === 'queued' && dueAt !== undefined && last?.run === run && last.exit !== undefined) {
    steps.push({ kind: 'retrying', run, attempt: last.number, at: last.exit.at, dueAt })
  }
  if (outcome !== undefined) {
    const { state: kind, ...rest } = outcome
    steps.push({ kind, run, ...rest })
  }
  return steps
}

/** The step in words, without its time. */
export function stepWords(step: Step, when: (iso: string) => string): string {
  const { kind, attempt = 0, exit } = step
  switch (kind) {
    case 'accepted':
      return 'accepted'
    case 'started':
      return `attempt ${attempt} started${step.node === undefined ? '' : ` on ${oneLine(step.node)}`}`
    case 'exited':
      return `attempt ${attempt} ended: ${exit === undefined ? 'no more is known' : exitWords(exit)}`
    case 'retrying': {
      const due = step.dueAt === undefined ? '' : ` ${when(step.dueAt)}`
      return `next attempt${due}${because(step.rule)}`
    }
    case 'succeeded':
      return `succeeded${because(step.rule)}`
    case 'failed': {
      const words = exit === undefined ? 'failed' : exitWords(exit)
      return `${words.startsWith('failed') ? words : `failed: ${words}`}${because(step.rule)}`
    }
    case 'cancelled': {
      const by = step.by === undefined ? '' : ` by ${oneLine(step.by)}`
      const reason = step.reason === undefined ? '' : `: ${oneLine(step.reason)}`
      return `cancelled${by}${reason}`
    }
  }
}

function because(rule: string | undefined): string {
  return rule === undefined ? '' : `; ${oneLine(rule)}`
}
