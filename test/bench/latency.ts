import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Figure } from './figure.ts'
import { atPace } from './pace.ts'
import { Requests } from './requests.ts'
import { percentile } from './statistics.ts'
import { Subscriber } from './subscriber.ts'
import { TIMED_ARGV, timedType, timesIn } from './timed-program.ts'
import { wallMs } from './wall-clock.ts'
import type { Workbench } from './workbench.ts'

/** A moderate load: ten tasks a second, each a fifth of a second long. */
const COUNT = 200
const APART_MS = 100
const WORK_SECONDS = 0.2

interface Latencies {
  /** From the wish (the command is about to be sent) to the program's first own word. */
  readonly start: readonly number[]
  /** From the program's last own word to the news of it. */
  readonly end: readonly number[]
}

/** How long a command takes to become a process, and an exit to be an event at a subscriber. */
export async function latency(bench: Workbench): Promise<readonly Figure[]> {
  const bare = await bareSpawns(join(await bench.folder(), 'times'))
  const daemon = await throughDaemon(bench)
  const figure = (kind: 'start' | 'end', share: number, goalMs?: number): Figure => {
    const words =
      kind === 'start' ? 'command sent to process started' : 'process exit to event received'
    const beside = kind === 'start' ? 'bare spawn' : "bare 'exit'"
    const at = `p${share * 100}`
    return {
      row: 'latency',
      key: `${kind === 'start' ? 'command_to_start' : 'exit_to_event'}_${at}_ms`,
      words: `${words}, ${at}`,
      value: percentile(daemon[kind], share),
      unit: 'ms',
      limit: { words: beside, value: percentile(bare[kind], share) },
      ...(goalMs !== undefined && { goal: { kind: 'under', value: goalMs } }),
    }
  }
  return [
    figure('start', 0.5),
    figure('start', 0.99),
    figure('end', 0.5, 20),
    figure('end', 0.99, 100),
  ]
}

async function bareSpawns(times: string): Promise<Latencies> {
  const wished = new Map<string, number>()
  const over = new Map<string, number>()
  const [file, ...args] = TIMED_ARGV
  await atPace(COUNT, APART_MS, async (id) => {
    wished.set(id, wallMs())
    const env = { ...process.env, TIMES: times, WORK: `${WORK_SECONDS}`, LONGHAUL_TASK_ID: id }
    await once(spawn(file, args, { env, stdio: 'ignore' }), 'exit')
    over.set(id, wallMs())
  })
  return latenciesOf(times, wished, over)
}

async function throughDaemon(bench: Workbench): Promise<Latencies> {
  const times = join(await bench.folder(), 'times')
  const daemon = await bench.daemon({ timed: timedType(times, WORK_SECONDS, 'bench/timed') })
  using requests = new Requests(daemon.url, 16)
  using exits = await Subscriber.open(daemon.url, 'longhaul/task-exited')
  const wished = new Map<string, number>()
  await atPace(COUNT, APART_MS, async (id) => {
    wished.set(`timed/${id}`, wallMs())
    await requests.post('/v1/messages', { message: { $name: 'bench/timed', $version: 1, id } })
  })
  const received = await exits.until(COUNT)
  const over = new Map(received.map(({ taskId, receivedAt }) => [taskId, receivedAt]))
  await bench.clear(daemon)
  return latenciesOf(times, wished, over)
}

function latenciesOf(
  times: string,
  wished: ReadonlyMap<string, number>,
  over: ReadonlyMap<string, number>,
): Latencies {
  const { started, ending } = timesIn(times)
  const between = (from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>) =>
    [...wished.keys()].map((id) => (to.get(id) ?? Number.NaN) - (from.get(id) ?? Number.NaN))
  return { start: between(wished, started), end: between(ending, over) }
}
