/** Reads a stream, and tells where nothing comes for a while. */
export interface QuietReader<Item> {
  /** The next item, `ended`, or `quiet` where neither has come within the time; nothing is lost by it. */
  next(quietMs?: number): Promise<Item | 'quiet' | 'ended'>
}

export function quietReader<Item extends object>(items: AsyncIterable<Item>): QuietReader<Item> {
  const iterator = items[Symbol.asyncIterator]()
  let pending: Promise<IteratorResult<Item>> | undefined

  return {
    async next(quietMs) {
      if (pending === undefined) {
        pending = iterator.next()
        // Thrown to whoever asks next; where nobody does any more, to nobody.
        pending.catch(() => undefined)
      }
      const result = await (quietMs === undefined ? pending : within(pending, quietMs))
      if (result === 'quiet') return result
      pending = undefined
      return result.done === true ? 'ended' : result.value
    },
  }
}

async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value | 'quiet'> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<'quiet'>((resolve) => {
    timer = setTimeout(resolve, ms, 'quiet')
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
