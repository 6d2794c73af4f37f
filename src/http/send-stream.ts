import type { ServerResponse } from 'node:http'

/**
 * Sends the chunks as fast as the other side takes them, and ends the response with them. Headers go
 * out at once. Throws what the source throws; the response is then cut off, so that nobody takes it
 * for whole.
 */
export async function sendStream(
  response: ServerResponse,
  chunks: AsyncIterable<string>,
): Promise<void> {
  // Silence is no reason to hang up here.
  response.socket?.setTimeout(0)
  response.flushHeaders()
  try {
    for await (const chunk of chunks) {
      if (response.destroyed) return
      if (chunk !== '' && !response.write(chunk)) await drained(response)
    }
    response.end()
  } catch (error) {
    response.destroy()
    throw error
  }
}

/** Resolves when there is room again, or never will be. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    if (response.destroyed) resolve()
    else response.on('drain', done).on('close', done)
  })
}
