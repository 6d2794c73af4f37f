// Node sees no names in its CommonJS, only the whole.
import stock from '@node-ts/bus-rabbitmq'

/** The stock transport, for both programs of this example. */
export function openTransport() {
  return new stock.RabbitMqTransport({
    connectionString: process.env['RABBITMQ_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672',
    queueName: 'video-application',
    // Its default is one queue for every application on the broker.
    deadLetterQueueName: 'video-application-dead-letter',
  })
}
