import { Connection } from 'rabbitmq-client'
import {
  createDatabase,
  type Database,
  findPrograms,
  type PostgresServer,
  startServer,
} from '../support/postgres-server.ts'
import { type Broker, openBroker } from '../support/rabbitmq-node.ts'

/** The RabbitMQ and the Postgres of the rows that need them. */
export class Services implements AsyncDisposable {
  readonly #broker: Broker
  readonly #postgresUrl: string
  readonly #opened: AsyncDisposableStack

  private constructor(broker: Broker, postgresUrl: string, opened: AsyncDisposableStack) {
    this.#broker = broker
    this.#postgresUrl = postgresUrl
    this.#opened = opened
  }

  /** Those of the environment, else of this machine's programs; undefined where there are none. */
  static async open(): Promise<Services | undefined> {
    await using opened = new AsyncDisposableStack()
    const broker = await openBroker()
    if (broker === undefined) return undefined
    opened.use(broker)
    const given = process.env['LONGHAUL_TEST_POSTGRES_URL']
    if (given !== undefined) return new Services(broker, given, opened.move())
    const programs = await findPrograms()
    if (programs === undefined) return undefined
    const server: PostgresServer = opened.use(await startServer(programs))
    return new Services(broker, server.url, opened.move())
  }

  get brokerUrl(): string {
    return this.#broker.url
  }

  /** A new one; it goes with the server, or when it is disposed of. */
  database(): Promise<Database> {
    return createDatabase(this.#postgresUrl)
  }

  connect(): AsyncDisposable & { readonly connection: Connection } {
    const connection = new Connection({ url: this.brokerUrl, noDelay: true })
    // What is under way fails by itself.
    connection.on('error', () => undefined)
    return { connection, [Symbol.asyncDispose]: () => connection.close() }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync()
  }
}

/** A broker that was given is left as it was. */
export async function removeQueues(services: Services, queue: string): Promise<void> {
  await using admin = services.connect()
  const pauses = ['1s', '5s', '25s', '125s', '300s'].map((pause) => `${queue}-retry-${pause}`)
  for (const name of [queue, ...pauses, `${queue}-dead-letter`]) {
    await admin.connection.queueDelete({ queue: name })
  }
}
