import { openRabbitmqTransport } from '../../adapters/transport/rabbitmq/open.ts'
import { EmbeddedTransport } from '../../adapters/transport/embedded/transport.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { MessageTransport } from '../ports/transport.ts'
import { brokerTarget } from './broker-target.ts'

/** The bus that the daemon's file names; what was opened for it goes with the stack. */
export async function openTransport(
  config: DaemonConfig,
  store: Store,
  opened: AsyncDisposableStack,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<MessageTransport> {
  const { bus, file } = config
  switch (bus.kind) {
    case 'embedded':
      return new EmbeddedTransport({ ...parts, store })
    case 'rabbitmq':
      return opened.use(
        await openRabbitmqTransport({ ...parts, ...(await brokerTarget(file, bus)) }),
      )
  }
}
