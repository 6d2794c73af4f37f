import assert from 'node:assert/strict'
import fc from 'fast-check'
import { linesOf } from '../../../../../adapters/scheduler/nomad/watch/lines.ts'

/** The bytes in pieces that end at these places. */
async function* cut(bytes: Buffer, places: readonly number[]): AsyncGenerator<Buffer> {
  await Promise.resolve()
  const ends = [...places].map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)
  let from = 0
  for (const to of [...ends, bytes.length]) {
    yield bytes.subarray(from, to)
    from = to
  }
}

async function linesIn(chunks: AsyncIterable<Buffer>): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const line of linesOf(chunks)) lines.push(line.toString())
  return lines
}

describe('the lines of a stream', () => {
  const line = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ''))

  it('are the same wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, places) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
        assert.deepEqual(await linesIn(cut(bytes, places)), lines)
      }),
    )
  })

  it('do not hold what stands after the last end of a line', async () => {
    const bytes = Buffer.from('{"Index":1}\n{"Index":2')
    assert.deepEqual(await linesIn(cut(bytes, [3, 11, 12])), ['{"Index":1}'])
    assert.deepEqual(await linesIn(cut(Buffer.from('{}'), [])), [])
  })
})
