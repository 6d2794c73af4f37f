import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import type { Connection, Publisher } from 'rabbitmq-client'
import type { Database } from '../support/postgres-server.ts'
import type { Figure } from './figure.ts'
import { perSecond, rawConfirms, rawInserts } from './raw-services.ts'
import { byCallers } from './requests.ts'
import { removeQueues } from './services.ts'
import { median } from './statistics.ts'
import type { Workbench } from './workbench.ts'

const REPEATS = 5
const COMMANDS = 4_000
/** Messages that the sender has under way at a time, unconfirmed. */
const SENDERS = 64
const CONNECTIONS = 16
/** Looking costs the database, too. */
const POLL_MS = 50
/** So that nothing is started while accepting is measured. */
const TOMORROW = new Date(Date.now() + 86_400_000).toISOString()

const NAME = 'bench/encode'
const ENCODE = {
  command: ['true'],
  'x-task': {
    command: NAME,
    id: '/videoId',
    input: {
      type: 'object',
      required: ['videoId', 'source'],
      properties: { videoId: { type: 'string' }, source: { type: 'string', format: 'uri' } },
    },
  },
}

/**
 * Commands accepted per second over RabbitMQ and Postgres: from the first one published until the last
 * one's row is in the store, beside the slower of what the two do by themselves.
 */
export async function acceptRabbitmq(bench: Workbench): Promise<readonly Figure[]> {
  const services = await bench.services()
  if (services === undefined) return []
  const database = await services.database()
  await using broker = services.connect()
  const raw = { database: await services.database(), connection: broker.connection }
  const counts = new Client({ connectionString: database.url })
  await counts.connect()
  const publisher = broker.connection.createPublisher({ confirm: true })
  const queue = `bench-accept-${process.pid}`
  const data = await bench.folder()
  const config = {
    data,
    bus: { kind: 'rabbitmq', url: services.brokerUrl, queue },
    store: { kind: 'postgres', url: database.url },
  }
  const figures: Figure[] = []
  const daemons = [await bench.daemon({ encode: ENCODE }, config)]
  for (const count of [1, 3]) {
    while (daemons.length < count) daemons.push(await bench.daemon({ encode: ENCODE }, config))
    figures.push(...(await accepted(bench, count, { publisher, counts, raw })))
  }
  await Promise.all(daemons.map((daemon) => daemon.end()))
  await requireEmpty(broker.connection, queue)
  for (const daemon of daemons) await bench.clear(daemon)
  await publisher.close()
  await counts.end()
  await removeQueues(services, queue)
  return figures
}

async function accepted(
  bench: Workbench,
  daemons: number,
  {
    publisher,
    counts,
    raw,
  }: {
    readonly publisher: Publisher
    readonly counts: Client
    readonly raw: { readonly database: Database; readonly connection: Connection }
  },
): Promise<Figure[]> {
  const confirms: number[] = []
  const inserts: number[] = []
  const rates: number[] = []
  for (let n = 0; n < REPEATS; n += 1) {
    const bodies = bodiesOf(`${daemons}-${n}`)
    confirms.push(await rawConfirms(raw.connection, SENDERS, bodies))
    inserts.push(await rawInserts(raw.database.url, CONNECTIONS, bodies))
    rates.push(await acceptAll(publisher, counts, bodies))
    bench.say(
      `  ${daemons}: ${[confirms, inserts, rates].map((all) => all.at(-1)?.toFixed(0)).join(' ')}`,
    )
  }
  const sides = [
    { words: 'RabbitMQ confirms', value: median(confirms) },
    { words: 'Postgres inserts', value: median(inserts) },
  ].toSorted((a, b) => a.value - b.value)
  const many = daemons === 1 ? 'one daemon' : `${daemons} daemons`
  return sides.map((limit, place) => ({
    row: 'accept-rabbitmq',
    key: `${daemons}_per_s${place === 0 ? '' : '_faster'}`,
    words: `commands accepted by ${many}`,
    value: median(rates),
    unit: '/s',
    limit,
    // The slower of the two is what bounds it.
    ...(place === 0 && { goal: { kind: 'share', atLeast: 1 / 3 } }),
  }))
}

function bodiesOf(repeat: string): readonly Buffer[] {
  return Array.from({ length: COMMANDS }, (_, n) => {
    const id = `${repeat}-${n}`
    const source = `https://example.com/videos/${id}`
    return Buffer.from(JSON.stringify({ $name: NAME, $version: 1, videoId: id, source }))
  })
}

async function acceptAll(
  publisher: Publisher,
  counts: Client,
  bodies: readonly Buffer[],
): Promise<number> {
  const count = async (query: string) => {
    const { rows } = await counts.query<{ count: string }>(`SELECT ${query}`)
    return Number(rows[0]?.count)
  }
  const before = await count('COALESCE(MAX(seq), 0) AS count FROM tasks')
  const headers = { attributes: JSON.stringify({ 'longhaul-not-before': TOMORROW }) }
  const begun = performance.now()
  await byCallers(SENDERS, bodies.length, (n) =>
    publisher.send({ exchange: NAME, durable: true, mandatory: true, headers }, bodies[n]),
  )
  const rows = `COUNT(*) AS count FROM tasks WHERE seq > ${before}`
  while ((await count(rows)) < bodies.length) await pause(POLL_MS)
  const rate = perSecond(bodies.length, begun)
  // What is published afterwards is not to weigh on the next measurement.
  const unsent = 'COUNT(*) AS count FROM events WHERE sent_at IS NULL'
  while ((await count(unsent)) > 0) await pause(POLL_MS)
  return rate
}

/** Everything was acknowledged: else it is there again now that nobody holds it. */
async function requireEmpty(connection: Connection, queue: string): Promise<void> {
  const { messageCount } = await connection.queueDeclare({ queue, passive: true })
  if (messageCount > 0) throw new Error(`${messageCount} messages have not been acknowledged`)
}
