import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
/** A frame holds 64 KiB of output (client/fs_endpoint.go), in base64. */
const LONGEST = 1024 * 1024

/**
 * A log that is followed: JSON objects one after the other with nothing between them, each with a piece
 * of output in base64, and empty ones every second, which say that there is nothing new
 * (client/fs_endpoint.go, client/lib/streamframer).
 */
export class LogFrames {
  #pending: Buffer = Buffer.alloc(0)
  /** How far `#pending` has been looked at, and what was open there. */
  #seen = 0
  #depth = 0
  #quoted = false
  #escaped = false

  /** The pieces of output that are whole by now; a heartbeat is an empty one. */
  take(chunk: Buffer): readonly Buffer[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const pieces: Buffer[] = []
    let from = 0
    for (; this.#seen < this.#pending.length; this.#seen += 1) {
      if (!this.#isEnd(this.#pending[this.#seen] ?? 0)) continue
      pieces.push(outputIn(this.#pending.subarray(from, this.#seen + 1)))
      from = this.#seen + 1
    }
    this.#pending = this.#pending.subarray(from)
    this.#seen -= from
    if (this.#pending.length > LONGEST || (this.#depth === 0 && this.#pending.length > 0)) {
      throw noFrame(this.#pending)
    }
    return pieces
  }

  /** Whether this byte is the last of a frame. */
  #isEnd(byte: number): boolean {
    if (this.#quoted) {
      if (this.#escaped) this.#escaped = false
      else if (byte === BACKSLASH) this.#escaped = true
      else if (byte === QUOTE) this.#quoted = false
      return false
    }
    if (byte === QUOTE) this.#quoted = true
    else if (byte === OPEN) this.#depth += 1
    else if (byte === CLOSE && this.#depth > 0) {
      this.#depth -= 1
      return this.#depth === 0
    }
    return false
  }
}

function outputIn(frame: Buffer): Buffer {
  try {
    const { Data: data } = JSON.parse(frame.toString()) as { readonly Data?: string }
    return Buffer.from(data ?? '', 'base64')
  } catch (error) {
    throw noFrame(frame, error)
  }
}

/** An error in the middle comes as text: the status has been sent before. */
function noFrame(bytes: Buffer, cause?: unknown): Unavailable {
  const said = bytes.subarray(0, 200).toString()
  const why = cause === undefined ? '' : `: ${errorMessage(cause)}`
  return new Unavailable('nomad-logs', `no log came, but ${said}${why}`, cause)
}
