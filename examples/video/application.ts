import { Bus, type BusInstance } from '@node-ts/bus-core'
import { openTransport } from './transport.ts'
import { type Outside, VideoWorkflow } from './video-workflow.ts'

/**
 * The application: waits for uploaded videos, has each encoded, and says what became of it. It knows
 * RabbitMQ and its own messages, and nothing of where or how the work is done.
 */
const outside: Outside = {
  send: (command) => bus.send(command),
  tell(videoId, words) {
    console.log(`${videoId}  ${words}`)
  },
}

const bus: BusInstance = Bus.configure()
  .withTransport(openTransport())
  .withContainer({ get: (workflow) => new workflow(outside) })
  .withWorkflow(VideoWorkflow)
  .build()
await bus.initialize()
await bus.start()
// At these bus-core stops reading, but leaves its connection open. Ours comes before it: disposing of a
// bus that is stopping already is an error to it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.prependOnceListener(signal, () => void bus.dispose())
}
console.log('The application is ready: upload a video.')
