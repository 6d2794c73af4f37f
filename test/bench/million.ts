import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Installation } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import type { Figure } from './figure.ts'
import { copyFinishedTask } from './finished-tasks.ts'
import { Requests } from './requests.ts'
import { percentile } from './statistics.ts'
import { Subscriber } from './subscriber.ts'
import { timedType, timesIn } from './timed-program.ts'
import { startDaemon, type Workbench } from './workbench.ts'

const STARTS = 5
const TASKS = 150
const READS = 200
const APART_MS = 40

/** A daemon whose store is full of what is over, beside one that is new, taken turn by turn. */
export async function million(bench: Workbench): Promise<readonly Figure[]> {
  const { rows } = bench.options
  const full = await Side.make(bench, rows)
  const none = await Side.make(bench, 0)
  const sides = [full, none]
  for (let n = 0; n < STARTS; n += 1) for (const side of sides) await side.start()
  for (const side of sides) await side.subscribe()
  for (let n = 0; n < TASKS; n += 1) for (const side of sides) await side.task(n)
  for (const side of sides) await side.dispatched()
  for (let n = 0; n < READS; n += 1) for (const side of sides) await side.read(n)
  for (const side of sides) await side.clear()

  return (['startup', 'dispatch', 'page', 'page_of_state', 'one', 'metrics'] as const).flatMap(
    (key) => {
      const shares = key === 'startup' || key === 'metrics' ? [0.5] : [0.5, 0.99]
      return shares.map((share): Figure => {
        const at = shares.length > 1 ? `, p${share * 100}` : ''
        return {
          row: 'million',
          key: `${key}_${shares.length > 1 ? `p${share * 100}_` : ''}ms`,
          words: `${WORDS[key]}${at}, ${rows.toLocaleString('en')} finished`,
          value: percentile(full.times[key], share),
          unit: 'ms',
          limit: { words: 'none', value: percentile(none.times[key], share) },
          // The hundredth part of so few is one unlucky moment: shown, and no goal.
          ...(share === 0.5 && { goal: { kind: 'times', atMost: 1.25 } }),
        }
      })
    },
  )
}

const WORDS = {
  startup: 'start-up',
  dispatch: 'accepted to started',
  page: 'GET a page of tasks',
  page_of_state: 'GET a page of those succeeded',
  one: 'GET one task',
  metrics: 'GET /metrics',
} as const

class Side {
  readonly times: Record<keyof typeof WORDS, number[]> = {
    startup: [],
    dispatch: [],
    page: [],
    page_of_state: [],
    one: [],
    metrics: [],
  }
  readonly #bench: Workbench
  readonly #installation: Installation
  readonly #timesFile: string
  readonly #rows: number
  #requests: Requests | undefined
  #accepted: Subscriber | undefined
  #exited: Subscriber | undefined

  private constructor(bench: Workbench, installation: Installation, times: string, rows: number) {
    this.#bench = bench
    this.#installation = installation
    this.#timesFile = times
    this.#rows = rows
  }

  /** With a store of so many finished tasks; its daemon is not running. */
  static async make(bench: Workbench, rows: number): Promise<Side> {
    const times = join(await bench.folder(), 'times')
    const daemon = await bench.daemon({ timed: timedType(times, 0, 'bench/timed') })
    await daemon.fetch('/v1/tasks', { type: 'timed', input: { id: 'first' } })
    await daemon.ended('timed/first')
    const units = join(daemon.folder, 'data', 'units')
    const isReleased = () => readdirSync(units).every((name) => name.startsWith('.'))
    await until(isReleased, 'the unit is released')
    await daemon.end()
    const begun = performance.now()
    await copyFinishedTask(join(daemon.folder, 'data', 'longhaul.db'), 'timed/first', rows)
    const seconds = (performance.now() - begun) / 1000
    if (rows > 0) bench.say(`  ${rows} finished tasks made in ${seconds.toFixed(0)} s`)
    return new Side(bench, daemon, times, rows)
  }

  /** Until it says that it has started; leaves it running. */
  async start(): Promise<void> {
    await this.#installation.end()
    const begun = performance.now()
    await startDaemon(this.#installation)
    this.times.startup.push(performance.now() - begun)
  }

  async subscribe(): Promise<void> {
    const { url } = this.#installation
    this.#requests = new Requests(url, 1)
    this.#accepted = await Subscriber.open(url, 'longhaul/task-accepted')
    this.#exited = await Subscriber.open(url, 'longhaul/task-exited')
  }

  async task(n: number): Promise<void> {
    const message = { $name: 'bench/timed', $version: 1, id: `new-${n}` }
    await this.#requests!.post('/v1/messages', { message })
    await this.#exited!.until(n + 1)
    await pause(APART_MS / 2)
  }

  async dispatched(): Promise<void> {
    const accepted = await this.#accepted!.until(TASKS)
    const { started } = timesIn(this.#timesFile)
    for (const { taskId, at } of accepted) {
      this.times.dispatch.push((started.get(taskId) ?? Number.NaN) - at)
    }
    this.#accepted![Symbol.dispose]()
    this.#exited![Symbol.dispose]()
  }

  async read(n: number): Promise<void> {
    const old = `old-${String(1 + ((n * 7919) % Math.max(1, this.#rows))).padStart(8, '0')}`
    const one = this.#rows === 0 ? `new-${n % TASKS}` : old
    await this.#timed('page', '/v1/tasks?limit=50')
    await this.#timed('page_of_state', '/v1/tasks?limit=50&type=timed&state=succeeded')
    await this.#timed('one', `/v1/tasks/timed/${one}`)
    await this.#timed('metrics', '/metrics')
  }

  async clear(): Promise<void> {
    this.#requests![Symbol.dispose]()
    await this.#bench.clear(this.#installation)
  }

  async #timed(key: keyof typeof WORDS, path: string): Promise<void> {
    const begun = performance.now()
    await this.#requests!.get(path)
    this.times[key].push(performance.now() - begun)
  }
}
