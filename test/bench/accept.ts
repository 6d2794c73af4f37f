import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openSqliteStore } from '../../adapters/store/sqlite/open.ts'
import { systemClock } from '../../src/app/system-clock.ts'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { createIntake } from '../../src/engine/intake.ts'
import type { LoadedTaskType } from '../../src/engine/task-types.ts'
import { QuietLogger } from '../support/store.ts'
import type { Figure } from './figure.ts'
import { byCallers, Requests } from './requests.ts'
import { median } from './statistics.ts'
import { Subscriber } from './subscriber.ts'
import { wallMs } from './wall-clock.ts'
import type { Workbench } from './workbench.ts'

const CALLERS = 16
const REPEATS = 5
const INSERTS = 4_000
const TASKS = 4_000
const MESSAGES = 1_500
/** So that nothing is started while accepting is measured. */
const TOMORROW = new Date(Date.now() + 86_400_000)

const ENCODE = {
  command: ['true'],
  'x-task': {
    command: 'bench/encode',
    id: '/videoId',
    input: {
      type: 'object',
      required: ['videoId', 'source'],
      properties: { videoId: { type: 'string' }, source: { type: 'string', format: 'uri' } },
    },
  },
}

const input = (id: string) => ({ videoId: id, source: `https://example.com/videos/${id}` })

/** Tasks accepted per second, beside single-commit inserts into a database on the same file system. */
export async function accept(bench: Workbench): Promise<readonly Figure[]> {
  const daemon = await bench.daemon({ encode: ENCODE })
  const types = await loadTaskTypes(join(daemon.folder, 'config', 'tasks'), process.env)
  const loaded = types.types.get('encode')!
  const raw: number[] = []
  const intake: number[] = []
  const whole: number[] = []
  for (let n = 0; n < REPEATS; n += 1) {
    raw.push(rawInserts(join(await bench.folder(), 'raw.db')))
    intake.push(await throughIntake(join(await bench.folder(), 'longhaul.db'), loaded))
    whole.push(await throughBus(daemon.url, n))
  }
  await bench.clear(daemon)
  const limit = { words: 'single-commit inserts', value: median(raw) }
  const common = { row: 'accept', unit: '/s', limit } as const
  const goal = { kind: 'share', atLeast: 1 / 3 } as const
  return [
    {
      ...common,
      key: 'intake_per_s',
      words: `accepted by the intake, ${CALLERS} callers`,
      value: median(intake),
      goal,
    },
    {
      ...common,
      key: 'bus_per_s',
      words: `POST /v1/messages to accepted, ${CALLERS} callers`,
      value: median(whole),
      goal,
    },
  ]
}

/** One connection, one row a commit, each on the disk before the next: as the store is opened. */
function rawInserts(file: string): number {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec(
    'CREATE TABLE rows (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, input TEXT NOT NULL)',
  )
  const insert = database.prepare('INSERT INTO rows (id, input) VALUES (?, ?)')
  const begun = performance.now()
  for (let n = 0; n < INSERTS; n += 1) insert.run(`encode/${n}`, JSON.stringify(input(`${n}`)))
  const rate = perSecond(INSERTS, begun)
  database.close()
  return rate
}

async function throughIntake(file: string, loaded: LoadedTaskType): Promise<number> {
  const logger = new QuietLogger()
  await using store = await openSqliteStore({ file, clock: systemClock, logger })
  const intake = createIntake({
    tasks: store.tasks,
    clock: systemClock,
    logger,
    inputLimitBytes: 65_536,
  })
  const begun = performance.now()
  await byCallers(CALLERS, TASKS, async (n) => {
    const command = { messageId: `message-${n}`, attributes: {}, stickyAttributes: {} }
    const result = await intake.runTask({ loaded, input: input(`${n}`), command })
    if (result.kind !== 'accepted') throw new Error(result.kind)
  })
  return perSecond(TASKS, begun)
}

/** From the first request until a subscriber has seen the last task accepted. */
async function throughBus(url: string, repeat: number): Promise<number> {
  using requests = new Requests(url, CALLERS)
  using accepted = await Subscriber.open(url, 'longhaul/task-accepted')
  const attributes = { 'longhaul-not-before': TOMORROW.toISOString() }
  const begun = wallMs()
  await byCallers(CALLERS, MESSAGES, (n) => {
    const message = { $name: 'bench/encode', $version: 1, ...input(`${repeat}-${n}`) }
    return requests.post('/v1/messages', { message, attributes })
  })
  await accepted.until(MESSAGES)
  return MESSAGES / ((accepted.lastAt - begun) / 1000)
}

function perSecond(count: number, begun: number): number {
  return count / ((performance.now() - begun) / 1000)
}
