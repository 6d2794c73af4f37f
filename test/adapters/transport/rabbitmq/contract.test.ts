import { openRabbitmqTransport } from '../../../../adapters/transport/rabbitmq/open.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import { type TransportCase, transportContract } from '../../../contract/transport.ts'
import { openAdmin, uniqueName, useBroker } from '../../../support/rabbitmq.ts'
import { QuietLogger } from '../../../support/store.ts'

for (const quorum of [true, false]) {
  describe(`on ${quorum ? 'quorum' : 'classic'} queues`, () => {
    const broker = useBroker()

    const open = async (): Promise<TransportCase> => {
      const { url } = broker()
      const queue = uniqueName('contract')
      const admin = openAdmin(url)
      const transport = await openRabbitmqTransport({
        url,
        queue,
        quorum,
        clock: systemClock,
        logger: new QuietLogger(),
      })
      return {
        transport,
        inject: async ({ id, body, headers: { correlationId, ...headers } }) => {
          const channel = await admin.connection.acquire()
          await channel.confirmSelect()
          await channel.basicPublish(
            {
              routingKey: queue,
              messageId: id,
              headers,
              ...(correlationId !== undefined && { correlationId }),
            },
            Buffer.from(body),
          )
          await channel.close()
        },
        async [Symbol.asyncDispose]() {
          await transport.dispose()
          await admin.removeService(queue, ['media/encode', 'media/encoded'])
          await admin[Symbol.asyncDispose]()
        },
      }
    }

    transportContract('the RabbitMQ transport', open, { controlled: false })
  })
}
