import assert from 'node:assert/strict'
import fc from 'fast-check'
import { LogFrames } from '../../../../../adapters/scheduler/nomad/logs/log-frames.ts'
import { tailOfBoth } from '../../../../../adapters/scheduler/nomad/logs/log-tail.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import { recording } from '../recordings.ts'

const RECORDED = recording('logs-follow').calls.find(({ path }) => path.includes('follow=true'))
const BYTES = Buffer.from(RECORDED?.body as string)

/** The pieces of output, of a body that comes in these parts. */
function piecesOf(body: Buffer, places: readonly number[]): readonly string[] {
  const frames = new LogFrames()
  const ends = [...places].map((place) => place % (body.length + 1)).sort((a, b) => a - b)
  let from = 0
  return [...ends, body.length].flatMap((to) => {
    const taken = frames.take(body.subarray(from, to))
    from = to
    return taken.map((piece) => piece.toString())
  })
}

describe('the frames of a log that is followed', () => {
  it('hold the output as it was recorded, and are empty for heartbeats', () => {
    const pieces = piecesOf(BYTES, [])
    assert.equal(pieces.join(''), 'line 1\nline 2\nline 3\nline 4\nline 5\n')
    assert.deepEqual(pieces.slice(3), ['', '', '', ''])
  })

  it('are the same wherever they are cut', () => {
    const whole = piecesOf(BYTES, [])
    for (const at of BYTES.keys()) assert.deepEqual(piecesOf(BYTES, [at]), whole)
    fc.assert(
      fc.property(fc.array(fc.nat()), (places) => {
        assert.deepEqual(piecesOf(BYTES, places), whole)
      }),
    )
  })

  it('end at their own brace, whatever stands in their texts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string())), (outputs) => {
        const frames = outputs.map(([File, output]) =>
          JSON.stringify({ File, Data: Buffer.from(output).toString('base64'), Offset: 1 }),
        )
        const pieces = piecesOf(Buffer.from(frames.join('')), [])
        assert.deepEqual(
          pieces,
          outputs.map(([, output]) => output),
        )
      }),
    )
  })

  it('keep a character that was cut between two of them', () => {
    const [first, second] = [Buffer.from('ä').subarray(0, 1), Buffer.from('ä').subarray(1)]
    const body = [first, second].map((part) => JSON.stringify({ Data: part.toString('base64') }))
    const frames = new LogFrames()
    assert.equal(Buffer.concat(frames.take(Buffer.from(body.join('')))).toString(), 'ä')
  })

  it('are none where an error comes as text, at once or after some', () => {
    for (const text of ['Unknown allocation "a1"', '{}failed to stream "main.stdout.0"']) {
      assert.throws(() => new LogFrames().take(Buffer.from(text)), Unavailable)
    }
    assert.throws(() => new LogFrames().take(Buffer.from('{"Data":nothing}')), Unavailable)
  })
})

describe('the end of both outputs', () => {
  const tail = (out: string, err: string, most: number) =>
    tailOfBoth(Buffer.from(out), Buffer.from(err), most)

  it('is all of them where there is room', () => {
    assert.equal(tail('out\n', 'err\n', 8), 'out\nerr\n')
    assert.equal(tail('', '', 8), '')
  })

  it('is half of each where both are long, and what the other leaves of its half', () => {
    assert.equal(tail('0123456789', 'abcdefghij', 6), '789hij')
    assert.equal(tail('0123456789', 'ab', 6), '6789ab')
    assert.equal(tail('01', 'abcdefghij', 6), '01ghij')
    assert.equal(tail('0123456789', '', 4), '6789')
  })

  it('begins with whole characters, and never holds more than was asked for', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.nat(40),
        (out, err, most) => {
          const text = tail(out, err, most)
          assert.ok(Buffer.byteLength(text) <= most)
          assert.ok(!text.includes('\ufffd') || (out + err).includes('\ufffd'))
        },
      ),
    )
  })
})
