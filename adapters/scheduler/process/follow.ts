import { StringDecoder } from 'node:string_decoder'
import { OpenLog, withoutTornStart } from './log-file.ts'

/**
 * A log from `tailBytes` before its end. `turn` is asked before each reading: whether that is the last
 * one; `wait` resolves when there may be more. `removed` is how much this adapter has cut off the log's
 * beginning so far, so that a reader finds its place again. The file is held open: a unit that is removed
 * meanwhile takes nothing away from who reads it.
 */
export async function* readOn(
  path: string,
  options: {
    readonly tailBytes: number | undefined
    readonly follow: boolean
    readonly removed: () => number
    readonly turn: () => Promise<'last' | 'more'>
    readonly wait: () => Promise<void>
  },
): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8')
  await using log = new OpenLog(path)
  const size = await log.size()
  const start = options.removed() + Math.max(0, size - (options.tailBytes ?? size))
  const end = options.follow ? Infinity : options.removed() + size
  let torn = start > options.removed()
  let position = start
  for (;;) {
    const turn = await options.turn()
    while (position < end) {
      // Somebody else has cut it: what is behind the present end was never there.
      position = Math.min(
        Math.max(position, options.removed()),
        options.removed() + (await log.size()),
      )
      let chunk = await log.read(position - options.removed())
      if (chunk.length === 0) break
      chunk = chunk.subarray(0, Math.min(chunk.length, end - position))
      position += chunk.length
      if (torn) chunk = withoutTornStart(chunk)
      torn = false
      const text = decoder.write(chunk)
      if (text !== '') yield text
    }
    if (turn === 'last' || position >= end) break
    await options.wait()
  }
  const rest = decoder.end()
  if (rest !== '') yield rest
}
