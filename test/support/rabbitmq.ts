import { Connection } from 'rabbitmq-client'
import { openBroker, type Broker } from './rabbitmq-node.ts'
import { requireOrSkip } from './services.ts'

export type { Broker }

/**
 * Called in a `describe`: the broker of `LONGHAUL_TEST_AMQP_URL`, else the binaries of this machine,
 * else the tests are skipped. With `node: true` only one that is ours will do.
 */
export function useBroker({ node = false } = {}): () => Broker {
  let broker: Broker | undefined
  before(async function () {
    this.timeout(90_000)
    broker = await theBroker()
    const why = 'neither LONGHAUL_TEST_AMQP_URL is set nor is rabbitmq-server installed'
    requireOrSkip(this, 'RabbitMQ', broker !== undefined, why)
    const ours = 'LONGHAUL_TEST_AMQP_URL names one that is not ours to break'
    requireOrSkip(this, 'RabbitMQ', !node || broker?.node !== undefined, ours)
  })
  return () => broker!
}

let opening: Promise<(Broker & AsyncDisposable) | undefined> | undefined

function theBroker(): Promise<Broker | undefined> {
  opening ??= openBroker()
  return opening
}

// On the root suite: this file is loaded while no suite is being described.
after(async function () {
  this.timeout(30_000)
  await (await opening)?.[Symbol.asyncDispose]()
})

/** A name that no other test has. */
export function uniqueName(prefix: string): string {
  names += 1
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${names}`
}
let names = 0

/** A connection for looking at the broker and putting things there, from outside. */
export function openAdmin(url: string): Admin {
  const connection = new Connection({ url, retryLow: 50, retryHigh: 200 })
  // Some tests end connections on purpose; what cannot be done without one fails by itself.
  connection.on('error', () => undefined)
  return {
    connection,
    async count(queue) {
      const { messageCount } = await connection.queueDeclare({ queue, passive: true })
      return messageCount
    },
    async exists(queue) {
      const channel = await connection.acquire({ emitErrorsFromChannel: true })
      channel.on('error', () => undefined)
      try {
        await channel.queueDeclare({ queue, passive: true })
        return true
      } catch {
        return false // 404
      } finally {
        await channel.close()
      }
    },
    async removeService(queue, exchanges = []) {
      const pauses = ['1s', '5s', '25s', '125s', '300s'].map((pause) => `retry-${pause}`)
      for (const name of [queue, ...[...pauses, 'dead-letter'].map((end) => `${queue}-${end}`)]) {
        await connection.queueDelete({ queue: name })
      }
      for (const exchange of [queue, ...exchanges]) await connection.exchangeDelete({ exchange })
    },
    [Symbol.asyncDispose]: () => connection.close(),
  }
}

export interface Admin extends AsyncDisposable {
  readonly connection: Connection
  count(queue: string): Promise<number>
  exists(queue: string): Promise<boolean>
  /** Everything that a service has on the broker, and these exchanges. */
  removeService(queue: string, exchanges?: readonly string[]): Promise<void>
}
