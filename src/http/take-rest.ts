import type { IncomingMessage } from 'node:http'

/**
 * Reads what a caller is still sending, and drops it, for at most `mostMs`. A connection that is closed
 * while its other side sends is reset, and the caller would see that instead of the answer.
 */
export function takeRest(request: IncomingMessage, mostMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) {
      resolve()
      return
    }
    const timer = setTimeout(done, mostMs)
    function done(): void {
      clearTimeout(timer)
      request.off('end', done).off('close', done)
      resolve()
    }
    request.on('end', done).on('close', done)
    request.resume()
  })
}
