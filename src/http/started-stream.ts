/**
 * Awaits the first chunk of a stream before its answer is begun: what fails at once can then still be
 * answered with an error. After `mostMs` without a word the answer begins all the same.
 */
export async function startOf<T>(
  stream: AsyncIterable<T>,
  mostMs?: number,
): Promise<AsyncIterable<T>> {
  const iterator = stream[Symbol.asyncIterator]()
  const first = iterator.next()
  await (mostMs === undefined ? first : within(first, mostMs))
  return resumed(iterator, first)
}

async function* resumed<T>(
  iterator: AsyncIterator<T>,
  first: Promise<IteratorResult<T>>,
): AsyncGenerator<T, void, undefined> {
  try {
    for (let next = await first; next.done !== true; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

async function within(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  try {
    await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
