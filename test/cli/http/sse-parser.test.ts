import assert from 'node:assert/strict'
import fc from 'fast-check'
import { createSseParser, type ServerSent } from '../../../src/cli/http/sse-parser.ts'

function parse(chunks: readonly Uint8Array[]): ServerSent[] {
  const take = createSseParser()
  return chunks.flatMap((chunk) => [...take(chunk)])
}

const bytes = (text: string) => new TextEncoder().encode(text)
const whole = (text: string) => parse([bytes(text)])

/** The same bytes, cut at the places given. */
function cut(all: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (all.length + 1)).sort((a, b) => a - b)]
  return at.map((from, i) => all.subarray(from, at[i + 1] ?? all.length))
}

const TEXT = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\0]/g, '~'))
const STREAM = fc.array(
  fc.record({
    id: fc.option(TEXT, { nil: undefined }),
    name: TEXT,
    data: fc.array(TEXT, { minLength: 1, maxLength: 3 }),
    comment: fc.option(TEXT, { nil: undefined }),
  }),
  { maxLength: 5 },
)

describe('the parser of server-sent events', () => {
  it('gives the same for every cut of the bytes and every kind of line end', () => {
    fc.assert(
      fc.property(
        STREAM,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 12 }),
        (items, end, places) => {
          let id: string | undefined
          const expected: ServerSent[] = items.flatMap((item): ServerSent[] => {
            id = item.id ?? id
            const event = {
              kind: 'event',
              id,
              name: item.name || 'message',
              data: item.data.join('\n'),
            } as const
            return item.comment === undefined
              ? [event]
              : [{ kind: 'comment', text: item.comment }, event]
          })
          const lines = items.flatMap((item) => [
            ...(item.comment === undefined ? [] : [`: ${item.comment}`]),
            ...(item.id === undefined ? [] : [`id: ${item.id}`]),
            `event: ${item.name}`,
            ...item.data.map((data) => `data: ${data}`),
            '',
          ])
          const all = bytes(lines.map((line) => `${line}${end}`).join(''))
          assert.deepEqual(parse(cut(all, places)), expected)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('reads a stream byte by byte, characters of several bytes included', () => {
    const all = bytes(': ready\r\n\r\nid: 7\r\nevent: a/ü\r\ndata: {"x":"🚚"}\r\n\r\n')
    assert.deepEqual(parse([...all].map((byte) => Uint8Array.of(byte))), [
      { kind: 'comment', text: 'ready' },
      { kind: 'event', id: '7', name: 'a/ü', data: '{"x":"🚚"}' },
    ])
  })

  it('drops what is cut off at the end', () => {
    assert.deepEqual(whole('data: a\n\ndata: b\n'), [
      { kind: 'event', id: undefined, name: 'message', data: 'a' },
    ])
  })

  it('keeps the id for events that have none, and tells no event without data', () => {
    assert.deepEqual(whole('id: 1\n\nevent: x\n\ndata\n\n'), [
      { kind: 'event', id: '1', name: 'message', data: '' },
    ])
  })

  it('takes one space after the colon away, no more, and passes unknown fields over', () => {
    assert.deepEqual(whole('retry: 5\nwhatever\ndata:  a:b\n\n'), [
      { kind: 'event', id: undefined, name: 'message', data: ' a:b' },
    ])
  })

  it('tells a blank line after CRLF from the second half of one', () => {
    const event = { kind: 'event', id: undefined, name: 'message', data: 'a' } as const
    assert.deepEqual(parse(['data: a\r', '\n', '\n'].map(bytes)), [event])
    assert.deepEqual(parse(['data: a\r', '\n\r', '\n'].map(bytes)), [event])
    assert.deepEqual(parse(['data: a\r', '\r', '\n'].map(bytes)), [event])
  })
})
