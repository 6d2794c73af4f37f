/**
 * The engine's log stream: frames of an 8-byte header (stream, three zeros, length) and that many
 * bytes; a terminal's output comes without frames.
 */
export class LogFrames {
  #pending: Buffer = Buffer.alloc(0)
  readonly #raw: boolean

  constructor({ raw }: { readonly raw: boolean }) {
    this.#raw = raw
  }

  /** What of the program's own bytes is complete by now. */
  take(chunk: Buffer): Buffer {
    if (this.#raw) return chunk
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const payloads: Buffer[] = []
    let at = 0
    while (this.#pending.length - at >= 8) {
      const length = this.#pending.readUInt32BE(at + 4)
      if (this.#pending.length - at - 8 < length) break
      payloads.push(this.#pending.subarray(at + 8, at + 8 + length))
      at += 8 + length
    }
    this.#pending = this.#pending.subarray(at)
    return Buffer.concat(payloads)
  }
}

/** The last so many bytes of what comes. */
export class Tail {
  readonly #most: number
  #kept: Buffer[] = []
  #size = 0
  /** How much has come in all. */
  seen = 0

  constructor(most: number) {
    this.#most = most
  }

  add(chunk: Buffer): void {
    this.seen += chunk.length
    this.#kept.push(chunk)
    this.#size += chunk.length
    for (let first = this.#kept[0]; first !== undefined; first = this.#kept[0]) {
      if (this.#size - first.length < this.#most) break
      this.#kept.shift()
      this.#size -= first.length
    }
  }

  /** Begins with a whole character. */
  text(): string {
    const all = Buffer.concat(this.#kept)
    let from = Math.max(0, all.length - this.#most)
    // 10xxxxxx goes on with a character that was begun before.
    while (from > 0 && from < all.length && ((all[from] ?? 0) & 0xc0) === 0x80) from += 1
    return all.subarray(from).toString()
  }
}
