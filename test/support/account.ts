import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { WireTask } from '../../src/core/wire.ts'
import type { Installation } from './daemon.ts'

/** The lines of a file that a program appends to. */
export function linesOf(file: string): string[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').filter(Boolean)
}

export interface Logged {
  readonly name: string
  readonly eventId: string
  readonly taskId?: string
}

/** The outside world's account of what happened: files that programs have written, and the API's. */
export interface Account {
  /** The ids of the commands that were acknowledged to their sender. */
  readonly acknowledged: readonly string[]
  readonly tasks: readonly WireTask[]
  /** `<taskId> <attempt>`, by the programs themselves, first thing. */
  readonly ran: readonly string[]
  /** The event log, oldest first. */
  readonly events: readonly Logged[]
}

/**
 * Nothing lost, nothing twice: every acknowledged command of the type `work` is a task and nothing
 * else is, each has the one outcome that its kind has (`hard` fails, every other succeeds), no
 * attempt's program ran twice, and the log tells every step once.
 */
export function assertNothingLostOrDoubled(account: Account): void {
  const { acknowledged, tasks, ran, events } = account
  assert.deepEqual(
    tasks.map(({ id }) => id).sort(),
    acknowledged.map((id) => `work/${id}`).sort(),
    'every acknowledged command is a task, and nothing else is',
  )
  assert.equal(new Set(ran).size, ran.length, `an attempt’s program ran twice: ${twice(ran)}`)
  const keys = events.map(({ eventId, name }) => `${eventId} ${name}`)
  assert.equal(new Set(keys).size, keys.length, `an event stands in the log twice: ${twice(keys)}`)
  const byTask = Map.groupBy(events, ({ taskId }) => taskId)
  for (const { id, outcome, attempts } of tasks) {
    const expected = id.startsWith('work/hard') ? 'failed' : 'succeeded'
    assert.equal(outcome?.state, expected, `${id}: ${JSON.stringify(outcome)}`)
    const names = (byTask.get(id) ?? []).map(({ name }) => name)
    const times = (name: string) => names.filter((other) => other === name).length
    const outcomes = ['succeeded', 'failed', 'cancelled'].map((end) => `longhaul/task-${end}`)
    const ends = outcomes.reduce((sum, name) => sum + times(name), 0)
    assert.equal(ends, 1, `${id}: ${names.join()}`)
    assert.equal(times('longhaul/task-accepted'), 1)
    assert.equal(times('longhaul/task-exited'), attempts.length)
    assert.equal(times('longhaul/task-retrying'), attempts.length - 1)
    assert.equal(times('e2e/work-done'), expected === 'failed' ? 0 : 1)
  }
}

function twice(lines: readonly string[]): string {
  return lines.filter((line, index) => lines.indexOf(line) !== index).join(', ')
}

/**
 * A subscriber may hear a thing more than once, and that is all: it has every event of these names,
 * and of each task the first ones came in the log's order. `heard` is `<eventId> <name> …` a line.
 */
export function assertAllHeardInOrder(
  events: readonly Logged[],
  names: readonly string[],
  heard: readonly string[],
): void {
  const told = events.filter(({ name }) => names.includes(name))
  const keyOf = ({ eventId, name }: Logged) => `${eventId} ${name}`
  const first = new Map<string, number>()
  for (const [index, line] of heard.entries()) {
    const key = line.split(' ').slice(0, 2).join(' ')
    if (!first.has(key)) first.set(key, index)
  }
  const missing = told.filter((event) => !first.has(keyOf(event)))
  assert.deepEqual(missing, [], 'the subscriber has all')
  assert.equal(first.size, told.length, 'it has heard nothing else')
  for (const [taskId, own] of Map.groupBy(told, (event) => event.taskId)) {
    const places = own.map((event) => first.get(keyOf(event)) ?? -1)
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      `the events of ${taskId} came in order`,
    )
  }
}

const LIVE = ['queued', 'starting', 'running', 'exited']
const LOOK_MS = 100

/** Every task, once none is live any more. */
export async function allEnded(installation: Installation, limitMs: number): Promise<WireTask[]> {
  let live: string[] = []
  const noneLive = async () => {
    const pages = await Promise.all(
      LIVE.map((state) => installation.json<Page>(`/v1/tasks?limit=5&state=${state}`)),
    )
    live = pages.flatMap(({ tasks }) => tasks.map((task) => JSON.stringify(task)))
    return live.length === 0
  }
  const end = performance.now() + limitMs
  while (!(await noneLive())) {
    if (performance.now() > end) throw new Error(`live after ${limitMs} ms: ${live.join('\n')}`)
    await pause(LOOK_MS)
  }
  return installation.tasks()
}

interface Page {
  readonly tasks: readonly WireTask[]
}

/** The whole log, as a new subscriber sees it. */
export async function logOf(installation: Installation, tasks: number): Promise<Logged[]> {
  const found: Logged[] = []
  const ended = new AbortController()
  const response = await installation.fetch('/v1/events?after=0', undefined, {
    signal: ended.signal,
  })
  let text = ''
  let outcomes = 0
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const frame = text.slice(0, end)
      text = text.slice(end + 2)
      const name = /^event: ?(.*)$/m.exec(frame)?.[1]
      const data = /^data: ?(.*)$/m.exec(frame)?.[1]
      if (name === undefined || data === undefined) continue
      const { message } = JSON.parse(data) as { message: Omit<Logged, 'name'> }
      found.push({
        name,
        eventId: message.eventId,
        ...(message.taskId && { taskId: message.taskId }),
      })
      if (/^longhaul\/task-(succeeded|failed|cancelled)$/.test(name)) outcomes += 1
    }
    if (outcomes >= tasks && text === '') break
  }
  ended.abort()
  return found
}
