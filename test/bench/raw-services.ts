import { Pool } from 'pg'
import type { Connection } from 'rabbitmq-client'
import { byCallers } from './requests.ts'
import { wallMs } from './wall-clock.ts'

/** What the services themselves do for a client that does nothing else. */

export const QUORUM = { durable: true, arguments: { 'x-queue-type': 'quorum' } } as const

/** Confirmed a second: persistent messages into a quorum queue that nobody reads. */
export async function rawConfirms(
  connection: Connection,
  callers: number,
  bodies: readonly Buffer[],
): Promise<number> {
  const queue = `bench-raw-${process.pid}`
  await connection.queueDeclare({ queue, ...QUORUM })
  const publisher = connection.createPublisher({ confirm: true })
  try {
    const envelope = { routingKey: queue, durable: true, mandatory: true }
    const begun = performance.now()
    await byCallers(callers, bodies.length, (n) => publisher.send(envelope, bodies[n]))
    return perSecond(bodies.length, begun)
  } finally {
    await publisher.close()
    await connection.queueDelete({ queue })
  }
}

/** Inserted a second: one row a transaction, each on the disk before the next of its connection. */
export async function rawInserts(
  url: string,
  connections: number,
  bodies: readonly Buffer[],
): Promise<number> {
  const pool = new Pool({ connectionString: url, max: connections })
  try {
    await pool.query(`CREATE TABLE IF NOT EXISTS bench_rows (
      seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT NOT NULL, input TEXT NOT NULL)`)
    await Promise.all(
      Array.from({ length: connections }, () => pool.query('SELECT pg_sleep(0.01)')),
    )
    const texts = bodies.map(String)
    const begun = performance.now()
    await byCallers(connections, texts.length, (n) =>
      pool.query('INSERT INTO bench_rows (id, input) VALUES ($1, $2)', [`encode/${n}`, texts[n]]),
    )
    return perSecond(texts.length, begun)
  } finally {
    await pool.query('DROP TABLE bench_rows')
    await pool.end()
  }
}

/** Milliseconds from sending to receiving, through a fanout exchange and a quorum queue, one by one. */
export async function rawRoundTrips(connection: Connection, count: number): Promise<number[]> {
  const name = `bench-trip-${process.pid}`
  const publisher = connection.createPublisher({ confirm: true })
  const times: number[] = []
  let arrived = Promise.withResolvers<number>()
  const consumer = connection.createConsumer(
    {
      queue: name,
      queueOptions: QUORUM,
      exchanges: [{ exchange: name, type: 'fanout' }],
      queueBindings: [{ exchange: name, routingKey: '' }],
    },
    () => {
      arrived.resolve(wallMs())
    },
  )
  try {
    await new Promise((resolve) => consumer.once('ready', resolve))
    for (let n = 0; n < count; n += 1) {
      arrived = Promise.withResolvers()
      const sentAt = wallMs()
      await publisher.send({ exchange: name, durable: true }, { n })
      times.push((await arrived.promise) - sentAt)
    }
    return times
  } finally {
    await consumer.close()
    await publisher.close()
    await connection.queueDelete({ queue: name })
    await connection.exchangeDelete({ exchange: name })
  }
}

export function perSecond(count: number, begun: number): number {
  return count / ((performance.now() - begun) / 1000)
}
