import type { Installation } from '../support/daemon.ts'
import { TASK_IMAGE } from '../support/task-image.ts'
import { Requests } from './requests.ts'
import { Subscriber } from './subscriber.ts'

/** As many units of failures as are kept of each type. */
const KEPT = 50
/** A node starts some at a time; more of them only wait for each other. */
const AT_A_TIME = 8
const INPUT_BYTES = 16_384
const LIMIT_MS = 600_000

/** Types of which one runs on and the others fail and are kept, as many as their number takes. */
export function loadTypes(finished: number): Readonly<Record<string, object>> {
  const image = TASK_IMAGE
  const keeps = (name: string) => ({
    image,
    command: ['false'],
    'x-task': {
      command: `bench/${name}`,
      id: '/id',
      concurrency: { limit: AT_A_TIME },
      retry: { max_attempts: 1 },
      keep: { failed_unit: '1d' },
    },
  })
  return {
    runs: { image, command: ['sleep', '1000000'], 'x-task': { command: 'bench/runs', id: '/id' } },
    ...Object.fromEntries(failing(finished).map((name) => [name, keeps(name)])),
  }
}

function failing(finished: number): readonly string[] {
  return Array.from({ length: Math.ceil(finished / KEPT) }, (_, n) => `fails-${n}`)
}

/** So many tasks that have failed, whose services are kept, and so many that run: each with its input. */
export async function load(
  daemon: Installation,
  { running, finished }: { readonly running: number; readonly finished: number },
): Promise<void> {
  using requests = new Requests(daemon.url, AT_A_TIME)
  using started = await Subscriber.open(daemon.url, 'longhaul/task-started')
  using failed = await Subscriber.open(daemon.url, 'longhaul/task-failed')
  const send = async (type: string, n: number) => {
    const id = `task-${n}`
    const message = { $name: `bench/${type}`, $version: 1, id, padding: 'x'.repeat(INPUT_BYTES) }
    await requests.post('/v1/messages', { message })
  }
  for (const [i, name] of failing(finished).entries()) {
    const until = Math.min(finished, (i + 1) * KEPT)
    for (let n = i * KEPT; n < until; n += 1) await send(name, n)
    await failed.until(until, LIMIT_MS)
  }
  const before = started.received.length
  for (let n = 0; n < running; n += 1) {
    await started.until(before + n - AT_A_TIME, LIMIT_MS)
    await send('runs', n)
  }
  await started.until(before + running, LIMIT_MS)
}
