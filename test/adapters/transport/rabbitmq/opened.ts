import type { Event } from '@node-ts/bus-messages'
import {
  openRabbitmqTransport,
  type RabbitmqTransportOptions,
} from '../../../../adapters/transport/rabbitmq/open.ts'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import type { Logger } from '../../../../src/ports/logger.ts'
import { type Admin, type Broker, openAdmin, uniqueName } from '../../../support/rabbitmq.ts'

/** Keeps every line. */
class LinesLogger implements Logger {
  readonly lines: { readonly event: string; readonly fields: object }[] = []
  debug = this.#keep.bind(this)
  info = this.#keep.bind(this)
  warn = this.#keep.bind(this)
  error = this.#keep.bind(this)

  #keep(event: string, fields: object = {}): void {
    this.lines.push({ event, fields })
  }

  has(event: string): boolean {
    return this.lines.some((line) => line.event === event)
  }
}

/** What a test works with: everything that it makes on the broker has a name of its own, and goes. */
export interface Opened extends AsyncDisposable {
  readonly queue: string
  /** A message's name that no other test has. */
  readonly name: string
  readonly admin: Admin
  readonly logger: LinesLogger
  /** A transport on the queue; closed with all. */
  transport(differs?: Partial<RabbitmqTransportOptions>): Promise<RabbitmqTransport>
  /** One that has bound the name and consumes. */
  consuming(
    concurrency?: number,
    differs?: Partial<RabbitmqTransportOptions>,
  ): Promise<RabbitmqTransport>
  /** Puts a message straight into the queue, as another program might. */
  inject(body: Buffer | string, properties?: object): Promise<void>
}

export function onBroker({ url }: Broker): Opened {
  const queue = uniqueName('queue')
  const name = uniqueName('media/encode')
  const admin = openAdmin(url)
  const logger = new LinesLogger()
  const open = new AsyncDisposableStack()
  const transport: Opened['transport'] = async (differs) =>
    open.use(await openRabbitmqTransport({ url, queue, clock: systemClock, logger, ...differs }))
  return {
    queue,
    name,
    admin,
    logger,
    transport,
    async consuming(concurrency = 4, differs) {
      const opened = await transport(differs)
      await opened.connect({ concurrency })
      await opened.subscribe([name])
      await opened.start()
      return opened
    },
    async inject(body, properties = {}) {
      const channel = await admin.connection.acquire()
      await channel.confirmSelect()
      await channel.basicPublish({ routingKey: queue, ...properties }, Buffer.from(body))
      await channel.close()
    },
    async [Symbol.asyncDispose]() {
      await open.disposeAsync()
      await admin.removeService(queue, [name])
      await admin[Symbol.asyncDispose]()
    },
  }
}

/** As the publisher hands an event to the transport: a plain object. */
export function event(name: string, body: object = {}): Event {
  const plain: object = { $name: name, $version: 1, ...body }
  return plain as Event
}

export const NONE = { attributes: {}, stickyAttributes: {} }
