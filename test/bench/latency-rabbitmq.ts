import { setTimeout as pause } from 'node:timers/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import type { Connection } from 'rabbitmq-client'
import type { Figure } from './figure.ts'
import { atPace } from './pace.ts'
import { QUORUM, rawRoundTrips } from './raw-services.ts'
import { removeQueues } from './services.ts'
import { percentile } from './statistics.ts'
import { timedType, timesIn } from './timed-program.ts'
import { wallMs } from './wall-clock.ts'
import type { Workbench } from './workbench.ts'

/** Seven tasks a second, each a fifth of a second long: what is measured must not wait for a core. */
const COUNT = 200
const APART_MS = 137
const WORK_SECONDS = 0.2
const TRIPS = 200
const POLL_MS = 3

const NAME = 'bench/timed'
const EXITED = 'longhaul/task-exited'

/**
 * Over RabbitMQ and Postgres: how long a published command takes to become a `task-started` row, and an
 * exit to be an event at a subscriber, beside a message's way through the same broker.
 */
export async function latencyRabbitmq(bench: Workbench): Promise<readonly Figure[]> {
  const services = await bench.services()
  if (services === undefined) return []
  const database = await services.database()
  await using broker = services.connect()
  const { connection } = broker
  const queue = `bench-latency-${process.pid}`
  const times = join(await bench.folder(), 'times')
  const daemon = await bench.daemon(
    { timed: timedType(times, WORK_SECONDS, NAME) },
    {
      bus: { kind: 'rabbitmq', url: services.brokerUrl, queue },
      store: { kind: 'postgres', url: database.url },
    },
  )
  const before = await rawRoundTrips(connection, TRIPS)
  const subscriber = await subscribe(connection, `${queue}-subscriber`)
  const sent = new Map<string, number>()
  const rows = watchRows(database.url)
  const publisher = connection.createPublisher({ confirm: true })
  await atPace(COUNT, APART_MS, async (id) => {
    sent.set(`timed/${id}`, wallMs())
    const envelope = { exchange: NAME, durable: true, mandatory: true }
    await publisher.send(envelope, { $name: NAME, $version: 1, id })
  })
  const received = await subscriber.all
  const started = await rows
  await subscriber.close()
  await publisher.close()
  const trips = [...before, ...(await rawRoundTrips(connection, TRIPS))]
  await bench.clear(daemon)
  await removeQueues(services, queue)
  const { ending } = timesIn(times)
  return [
    ...figures('command_to_started', 'command published to task-started row', {
      values: between(sent, started),
      trips,
    }),
    ...figures('exit_to_event', 'process exit to event received', {
      values: between(ending, received),
      trips,
      goalMs: 150,
    }),
  ]
}

function figures(
  key: string,
  words: string,
  {
    values,
    trips,
    goalMs,
  }: {
    readonly values: readonly number[]
    readonly trips: readonly number[]
    readonly goalMs?: number
  },
): Figure[] {
  return [0.5, 0.99].map((share) => ({
    row: 'latency-rabbitmq',
    key: `${key}_p${share * 100}_ms`,
    words: `${words}, p${share * 100}`,
    value: percentile(values, share),
    unit: 'ms',
    limit: { words: 'published to received', value: percentile(trips, share) },
    ...(goalMs !== undefined && share === 0.99 && { goal: { kind: 'under', value: goalMs } }),
  }))
}

function between(from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>): number[] {
  return [...to].map(([id, at]) => at - (from.get(id) ?? Number.NaN))
}

/** An application's: a durable queue, bound to the event's exchange. */
async function subscribe(connection: Connection, queue: string) {
  const received = new Map<string, number>()
  const all = Promise.withResolvers<ReadonlyMap<string, number>>()
  const consumer = connection.createConsumer(
    {
      queue,
      queueOptions: QUORUM,
      exchanges: [{ exchange: EXITED, type: 'fanout', durable: true }],
      queueBindings: [{ exchange: EXITED, routingKey: '' }],
      qos: { prefetchCount: 20 },
    },
    ({ body }) => {
      received.set((body as { readonly taskId: string }).taskId, wallMs())
      if (received.size === COUNT) all.resolve(received)
    },
  )
  consumer.on('error', all.reject)
  await new Promise((resolve) => consumer.once('ready', resolve))
  return {
    all: all.promise,
    async close() {
      await consumer.close()
      await connection.queueDelete({ queue })
    },
  }
}

/** When the row of each task's start was first to be seen, as exactly as it is looked for. */
async function watchRows(url: string): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>()
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    while (seen.size < COUNT) {
      // Those that are told late are among the latest all the same.
      const { rows } = await client.query<{ task_id: string }>(
        `SELECT task_id FROM (SELECT * FROM events ORDER BY seq DESC LIMIT 50) AS latest
         WHERE name = 'longhaul/task-started'`,
      )
      const at = wallMs()
      for (const { task_id } of rows) if (!seen.has(task_id)) seen.set(task_id, at)
      await pause(POLL_MS)
    }
    return seen
  } finally {
    await client.end()
  }
}
