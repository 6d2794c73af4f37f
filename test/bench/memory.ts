import type { Installation } from '../support/daemon.ts'
import type { Figure } from './figure.ts'
import { residentMb } from './process-figures.ts'
import { byCallers, Requests } from './requests.ts'
import { Subscriber } from './subscriber.ts'
import { startDaemon, type Workbench } from './workbench.ts'

const QUEUED = 10_000
const TOMORROW = new Date(Date.now() + 86_400_000).toISOString()

const SLEEP = {
  command: ['sleep', '600'],
  'x-task': { command: 'bench/sleep', id: '/id', concurrency: { limit: 1 } },
}

/** Resident memory of a daemon with nothing to do, and with a long queue of either kind. */
export async function memory(bench: Workbench): Promise<readonly Figure[]> {
  const daemon = await bench.daemon({ sleep: SLEEP })
  const none = await residentMb(daemon.pid!)
  await queue(daemon, { 'longhaul-not-before': TOMORROW })
  const waiting = await residentMb(daemon.pid!)
  await bench.clear(daemon)

  const other = await bench.daemon({ sleep: SLEEP })
  await queue(other, {})
  const limited = await residentMb(other.pid!)
  await other.end()
  await startDaemon(other)
  const again = await residentMb(other.pid!)
  await bench.clear(other)

  const figure = (key: string, words: string, value: number): Figure => ({
    row: 'memory',
    key,
    words,
    value,
    unit: 'MB',
    limit: { words: 'idle', value: none },
    goal: { kind: 'above', lessThan: 50 },
  })
  const count = QUEUED.toLocaleString('en')
  return [
    { row: 'memory', key: 'idle_mb', words: 'idle', value: none, unit: 'MB' },
    figure('not_due_mb', `${count} queued for tomorrow, just sent`, waiting),
    figure('limited_mb', `${count} queued behind a limit, just sent`, limited),
    figure('limited_again_mb', 'the same, the daemon started again', again),
  ]
}

async function queue(daemon: Installation, attributes: object): Promise<void> {
  using requests = new Requests(daemon.url, 16)
  using accepted = await Subscriber.open(daemon.url, 'longhaul/task-accepted')
  await byCallers(16, QUEUED, (n) => {
    const message = { $name: 'bench/sleep', $version: 1, id: `task-${n}` }
    return requests.post('/v1/messages', { message, attributes })
  })
  await accepted.until(QUEUED)
}
