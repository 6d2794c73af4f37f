import { Bus, type BusInstance, type Workflow, type WorkflowState } from '@node-ts/bus-core'
import type { Message, MessageAttributes } from '@node-ts/bus-messages'
// Node sees no names in its CommonJS, only the whole.
import stock from '@node-ts/bus-rabbitmq'

/** An application as its users have it: @node-ts/bus-core with the stock transport, nothing of ours. */
export async function startStockApp(options: {
  readonly url: string
  readonly queue: string
  readonly handlers?: readonly {
    readonly messageType: new (...args: never[]) => Message
    readonly handle: (message: Message, attributes: MessageAttributes) => unknown
  }[]
  readonly workflow?: new (...args: never[]) => Workflow<WorkflowState>
  readonly container?: () => unknown
  readonly deadLetterQueue?: string
  readonly concurrency?: number
}): Promise<BusInstance> {
  const { url, queue, handlers = [], workflow, deadLetterQueue, concurrency = 1 } = options
  const configuration = Bus.configure()
    .withTransport(
      // Its types are those of an older bus-core; what it does is not.
      new stock.RabbitMqTransport({
        connectionString: url,
        queueName: queue,
        ...(deadLetterQueue !== undefined && { deadLetterQueueName: deadLetterQueue }),
      }),
    )
    .withConcurrency(concurrency)
    .withLogger(() => SILENT)
  for (const { messageType, handle } of handlers) {
    configuration.withHandler({
      messageType: messageType as never,
      messageHandler: handle as never,
    })
  }
  if (workflow !== undefined) configuration.withWorkflow(workflow as never)
  // bus-core's own handlers of SIGINT and SIGTERM would outlive the test.
  Object.assign(configuration, { interruptSignals: [] })
  const bus = configuration.build()
  await bus.initialize()
  await bus.start()
  return bus
}

const silent = () => undefined
const SILENT = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  fatal: silent,
  trace: silent,
}
