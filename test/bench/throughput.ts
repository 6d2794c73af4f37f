import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Figure } from './figure.ts'
import { byCallers, Requests } from './requests.ts'
import { median } from './statistics.ts'
import { Subscriber } from './subscriber.ts'
import { wallMs } from './wall-clock.ts'
import type { Workbench } from './workbench.ts'

const CONCURRENCY = 8
const COUNT = 300
const REPEATS = 3

/** `true` again and again, beside a loop that does nothing but spawn it, as many at a time. */
export async function throughput(bench: Workbench): Promise<readonly Figure[]> {
  const task = { command: 'bench/true', id: '/id', concurrency: { limit: CONCURRENCY } }
  const daemon = await bench.daemon({ true: { command: ['true'], 'x-task': task } })
  const bare: number[] = []
  const whole: number[] = []
  for (let n = 0; n < REPEATS; n += 1) {
    bare.push(await bareLoop())
    whole.push(await throughDaemon(daemon.url, COUNT, n))
  }
  await bench.clear(daemon)
  return [
    {
      row: 'throughput',
      key: 'true_per_s',
      words: `\`true\` end to end, ${CONCURRENCY} at a time`,
      value: median(whole),
      unit: '/s',
      limit: { words: 'bare spawn loop', value: median(bare) },
      goal: { kind: 'share', atLeast: 1 / 4 },
    },
  ]
}

async function bareLoop(): Promise<number> {
  const begun = performance.now()
  await byCallers(CONCURRENCY, COUNT, () => once(spawn('true', { stdio: 'ignore' }), 'exit'))
  return COUNT / ((performance.now() - begun) / 1000)
}

/** Tasks a second, from the first command until a subscriber has seen the last success. */
export async function throughDaemon(url: string, count: number, repeat: number): Promise<number> {
  using requests = new Requests(url, 16)
  using succeeded = await Subscriber.open(url, 'longhaul/task-succeeded')
  const begun = wallMs()
  await byCallers(16, count, (n) => {
    const message = { $name: 'bench/true', $version: 1, id: `${repeat}-${n}` }
    return requests.post('/v1/messages', { message })
  })
  await succeeded.until(count)
  return count / ((succeeded.lastAt - begun) / 1000)
}
