import { setTimeout as pause } from 'node:timers/promises'
import type { Figure } from './figure.ts'
import { cpuSeconds } from './process-figures.ts'
import { byCallers, Requests } from './requests.ts'
import { Subscriber } from './subscriber.ts'
import type { Workbench } from './workbench.ts'

const RUNNING = 200
const SETTLE_MS = 5_000

const SLEEP = { command: ['sleep', '600'], 'x-task': { command: 'bench/sleep', id: '/id' } }

/** What the daemon costs while its tasks run and nothing happens, beside one that has none. */
export async function idle(bench: Workbench): Promise<readonly Figure[]> {
  const daemon = await bench.daemon({ sleep: SLEEP }, { limits: { in_flight: RUNNING } })
  const empty = await bench.daemon({ sleep: SLEEP })
  {
    using requests = new Requests(daemon.url, 16)
    using started = await Subscriber.open(daemon.url, 'longhaul/task-started')
    await byCallers(16, RUNNING, (n) => {
      const message = { $name: 'bench/sleep', $version: 1, id: `task-${n}` }
      return requests.post('/v1/messages', { message })
    })
    await started.until(RUNNING)
  }
  await pause(SETTLE_MS)
  const pids = [daemon.pid!, empty.pid!]
  const before = pids.map(cpuSeconds)
  const begun = performance.now()
  await pause(bench.options.idleMs)
  const seconds = (performance.now() - begun) / 1000
  const [value, none] = pids.map((pid, n) => ((cpuSeconds(pid) - before[n]!) / seconds) * 100)
  await bench.clear(daemon)
  await bench.clear(empty)
  return [
    {
      row: 'idle',
      key: 'cpu_percent',
      words: `CPU with ${RUNNING} running, over ${Math.round(seconds)} s`,
      value: value!,
      unit: '%',
      limit: { words: 'none running', value: none! },
      goal: { kind: 'under', value: 1 },
    },
  ]
}
