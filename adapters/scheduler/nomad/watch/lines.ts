import { Unavailable } from '../../../../src/core/errors.ts'

const NEWLINE = 10
/** A frame holds whole jobs and allocations, some dozens at most. */
const LONGEST = 64 * 1024 * 1024

/**
 * The lines of a stream of bytes, without their ends and undecoded: no byte of a longer character is a
 * newline's. What stands after the last newline when the stream ends is no line, it was cut.
 */
export async function* linesOf(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  let pending: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
      const rest = chunk.subarray(from, to)
      yield pending.length === 0 ? rest : Buffer.concat([...pending, rest])
      pending = []
      length = 0
      from = to + 1
    }
    if (from === chunk.length) continue
    pending.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > LONGEST) throw new Unavailable('nomad', `a line of more than ${LONGEST} bytes`)
  }
}
