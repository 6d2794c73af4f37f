import { Unavailable } from '../../../../src/core/errors.ts'

/** One field of a message on the wire: a whole number, or bytes (a text, a message). */
export interface Field {
  readonly number: number
  readonly value: number | Uint8Array
}

/** The fields of a protobuf message in order; those of fixed width, which none of ours has, are left out. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field, void, undefined> {
  let at = 0
  while (at < bytes.length) {
    const key = varint()
    const number = Math.floor(key / 8)
    switch (key % 8) {
      case 0:
        yield { number, value: varint() }
        break
      case 2: {
        const length = varint()
        yield { number, value: taken(length) }
        break
      }
      case 1:
        taken(8)
        break
      case 5:
        taken(4)
        break
      default:
        throw unreadable()
    }
  }

  function taken(length: number): Uint8Array {
    const end = at + length
    if (length < 0 || end > bytes.length) throw unreadable()
    const slice = bytes.subarray(at, end)
    at = end
    return slice
  }

  /** As a signed number of 64 bits. */
  function varint(): number {
    const from = at
    let value = 0
    for (let factor = 1, length = 1; length <= 10; factor *= 128, length += 1) {
      const byte = bytes[at]
      if (byte === undefined) throw unreadable()
      at += 1
      value += (byte & 127) * factor
      if (byte < 128) return length <= 7 ? value : signed(bytes.subarray(from, at))
    }
    throw unreadable()
  }
}

/** What a number of more than 49 bits is: mostly a small one below zero. */
function signed(groups: Uint8Array): number {
  const value = groups.reduceRight((sum, byte) => sum * 128n + BigInt(byte & 127), 0n)
  return Number(BigInt.asIntN(64, value))
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

/** A field to be sent: a number, a text, or what other fields make as a message. */
export function field(number: number, value: number | string | Uint8Array): Uint8Array {
  if (typeof value === 'number') return Buffer.concat([varintOf(number * 8), varintOf(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return Buffer.concat([varintOf(number * 8 + 2), varintOf(bytes.length), bytes])
}

function varintOf(value: number): Uint8Array {
  const groups: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) groups.push((rest % 128) + 128)
  return Buffer.from([...groups, rest])
}

function unreadable(): Unavailable {
  return new Unavailable('watch', 'the control socket sent what is no message')
}
