import { open, stat } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { outputFile, type Output } from './program.ts'

/** A frame holds so much output (client/fs_endpoint.go). */
const FRAME_BYTES = 64 * 1024
const LOOK_MS = 50
const BEAT_MS = 1_000

/**
 * What a task has written: as it is (`plain`), or in JSON frames with nothing between them. One that is
 * followed never ends by itself, and beats when there is nothing new.
 */
export async function sendLogs(
  response: ServerResponse,
  of: {
    readonly folder: string
    readonly allocation: string
    readonly output: Output
    readonly query: URLSearchParams
  },
): Promise<void> {
  const { folder, allocation, output, query } = of
  const file = outputFile(folder, allocation, output)
  const plain = query.get('plain') === 'true'
  const follow = query.get('follow') === 'true'
  response.writeHead(200, { 'content-type': plain ? 'text/plain' : 'application/json' })
  const offset = Number(query.get('offset') ?? 0)
  const fromEnd = query.get('origin') === 'end'
  let at = fromEnd ? Math.max(0, (await sizeOf(file)) - offset) : offset
  const send = (text: Buffer) => {
    at += text.length
    const File = `alloc/logs/main.${output}.0`
    const frame = () => JSON.stringify({ Data: text.toString('base64'), File, Offset: at })
    response.write(plain ? text : frame())
  }
  for (let quietMs = 0; !response.destroyed;) {
    const text = await read(file, at)
    if (text.length > 0) {
      send(text)
      quietMs = 0
      continue
    }
    if (!follow) break
    await pause(LOOK_MS)
    quietMs += LOOK_MS
    if (quietMs % BEAT_MS === 0) response.write('{}')
  }
  response.end()
}

async function read(file: string, at: number): Promise<Buffer> {
  try {
    await using opened = await open(file)
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(FRAME_BYTES), 0, FRAME_BYTES, at)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    // A script writes none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0
}
