import { open, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { hasCode } from './processes.ts'

/** A log above the limit is cut to its newest part. */
export const LOG_LIMIT_BYTES = 10 * 1024 * 1024
const KEPT_BYTES = LOG_LIMIT_BYTES / 2
const CHUNK_BYTES = 64 * 1024

/**
 * Cuts the log in place if it is above the limit, so that its newest half is kept, and gives how many
 * bytes went. In place because the program holds it open; it appends, so its next line comes after the
 * kept part. What is written between the last read and the cut, microseconds, is lost. Needs no space.
 */
export async function cutLog(path: string): Promise<number> {
  if ((await sizeOf(path)) <= LOG_LIMIT_BYTES) return 0
  const file = await open(path, 'r+')
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    const removed = (await file.stat()).size - KEPT_BYTES
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, removed + length)
      if (bytesRead === 0) break
      await file.write(buffer, 0, bytesRead, length)
      length += bytesRead
    }
    await file.truncate(length)
    return removed
  } finally {
    await file.close()
  }
}

/** The end of the log as text: cut at a character's boundary, what is no UTF-8 replaced. */
export async function logTail(path: string, bytes: number): Promise<string> {
  if (bytes <= 0) return ''
  return await withFile(path, '', async (file) => {
    const { size } = await file.stat()
    const start = Math.max(0, size - bytes)
    const buffer = Buffer.alloc(size - start)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    const read = buffer.subarray(0, bytesRead)
    return (start === 0 ? read : withoutTornStart(read)).toString('utf8')
  })
}

/** A log that is read bit by bit; opened when it is there, and then there for the reader until the end. */
export class OpenLog implements AsyncDisposable {
  readonly #path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** 0 for a log that is not there yet. */
  async size(): Promise<number> {
    const file = await this.#open()
    return file === undefined ? 0 : (await file.stat()).size
  }

  /** What stands in it from a position on, at most a chunk of it. */
  async read(position: number): Promise<Buffer> {
    const file = await this.#open()
    if (file === undefined) return Buffer.alloc(0)
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position)
    return buffer.subarray(0, bytesRead)
  }

  async #open(): Promise<FileHandle | undefined> {
    try {
      this.#file ??= await open(this.#path, 'r')
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
    }
    return this.#file
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close()
  }
}

/** 0 for a log that is not there. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return 0
    throw error
  }
}

/** Without the rest of a character whose beginning was cut off. */
export function withoutTornStart(bytes: Buffer): Buffer {
  let start = 0
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1
  return bytes.subarray(start)
}

async function withFile<T>(
  path: string,
  missing: T,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return missing
    throw error
  }
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
