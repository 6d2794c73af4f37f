import type { Channel } from 'rabbitmq-client'

/** What came over one channel. Tags grow; a set keeps the order in which they were put into it. */
interface Came {
  /** With nobody's word yet. */
  readonly open: Set<number>
  /** To be acknowledged. */
  done: number[]
}

/**
 * Acknowledges together what is done in one turn of the event loop: the broker writes an
 * acknowledgement down, and one for many costs it and us hardly more than one for one. `multiple` speaks of
 * all that came before, so it goes as far as nothing before is open.
 */
export class Acknowledgements {
  readonly #channels = new WeakMap<Channel, Came>()

  came(channel: Channel, tag: number): void {
    const known = this.#channels.get(channel)
    if (known === undefined) this.#channels.set(channel, { open: new Set([tag]), done: [] })
    else known.open.add(tag)
  }

  done(channel: Channel, tag: number): void {
    const came = this.#channels.get(channel)
    if (came?.open.delete(tag) !== true) return
    if (came.done.length === 0) {
      setImmediate(() => {
        acknowledge(channel, came)
      })
    }
    came.done.push(tag)
  }

  /** To the broker, for whoever comes next. */
  giveBack(channel: Channel, tag: number): void {
    if (this.#channels.get(channel)?.open.delete(tag) !== true) return
    if (channel.active) channel.basicNack({ deliveryTag: tag, requeue: true })
  }
}

function acknowledge(channel: Channel, came: Came): void {
  const tags = came.done.toSorted((a, b) => a - b)
  came.done = []
  if (!channel.active) return
  const [firstOpen = Number.POSITIVE_INFINITY] = came.open
  const last = tags.findLast((tag) => tag < firstOpen)
  if (last !== undefined) channel.basicAck({ deliveryTag: last, multiple: true })
  for (const tag of tags) if (tag > firstOpen) channel.basicAck({ deliveryTag: tag })
}
