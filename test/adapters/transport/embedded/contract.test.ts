import { EmbeddedTransport } from '../../../../adapters/transport/embedded/transport.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { MessageTable } from '../../../../src/ports/message-table.ts'
import { type TransportCase, transportContract } from '../../../contract/transport.ts'
import { ManualClock, openMemoryStore, QuietLogger } from '../../../support/store.ts'

const open = async (): Promise<TransportCase> => {
  const clock = new ManualClock()
  const store = await openMemoryStore(clock)
  let away = false
  const messages = new Proxy(store.messages, {
    get(target, name: keyof MessageTable) {
      if (!away) return target[name].bind(target)
      return () => Promise.reject(new Unavailable('store-unavailable', 'away'))
    },
  })
  return {
    transport: new EmbeddedTransport({
      store: { messages, onWrite: (...args) => store.onWrite(...args) },
      clock,
      logger: new QuietLogger(),
    }),
    inject: (message) => store.messages.put(message),
    passTime: (ms) => {
      clock.advance(ms)
    },
    cutOff: (cut) => {
      away = cut
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

transportContract('the embedded transport', open, { controlled: true })
