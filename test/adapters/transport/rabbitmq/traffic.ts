import assert from 'node:assert/strict'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { until } from '../../../support/store.ts'
import { event, NONE } from './opened.ts'

interface Numbered {
  readonly $name: string
  readonly $version: number
  readonly key: number
  readonly n: number
}

/**
 * Sends as the publisher does: for each key the next message when the last one is confirmed, and the
 * same one again when it was not. `received` are the numbers in the order in which they came.
 */
export function startTraffic(
  name: string,
  from: RabbitmqTransport,
  to: RabbitmqTransport,
  keys = 8,
) {
  const confirmed = Array.from({ length: keys }, () => 0)
  const received = Array.from({ length: keys }, () => [] as number[])
  let refusals = 0
  let sending = true

  async function send(key: number): Promise<void> {
    while (sending) {
      const numbers: Pick<Numbered, 'key' | 'n'> = { key, n: confirmed[key]! + 1 }
      try {
        await from.publish(event(name, numbers), NONE)
        confirmed[key]! += 1
      } catch (error) {
        assert.ok(error instanceof Unavailable, String(error))
        refusals += 1
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  async function receive(): Promise<void> {
    for (;;) {
      const message = await to.readNextMessage()
      if (message === undefined) return
      const { key, n } = message.domainMessage as Numbered
      received[key]!.push(n)
      await to.deleteMessage(message)
    }
  }

  const sendings = confirmed.map((_, key) => send(key))
  const receiving = receive()
  const total = () => confirmed.reduce((sum, n) => sum + n, 0)
  return {
    total,
    refusals: () => refusals,
    /** Resolves when so many more are confirmed. */
    async more(count: number, limitMs = 60_000): Promise<void> {
      const before = total()
      await until(() => total() >= before + count, `${count} more are confirmed`, limitMs)
    },
    /** Stops sending, and asserts that all that was confirmed has come, in order, repeats aside. */
    async end(): Promise<void> {
      sending = false
      await Promise.all(sendings)
      await until(
        () => confirmed.every((n, key) => n === 0 || received[key]!.includes(n)),
        'the last ones have come',
        60_000,
      )
      await to.stop()
      await receiving
      for (const [key, numbers] of received.entries()) {
        const firsts = [...new Set(numbers)]
        // One more than was confirmed may have come: its confirm did not.
        const expected = Array.from({ length: firsts.length }, (_, index) => index + 1)
        assert.deepEqual(firsts, expected, `key ${key}`)
        assert.ok(firsts.length >= confirmed[key]!)
      }
    },
  }
}
