import { connect, createServer, type Socket } from 'node:net'

/** A network that can be cut and frozen, between a client and a port of this machine. */
export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** Ends every connection; new ones are taken. */
  drop(): void
  /** Ends every connection, and takes no new ones until `mend`. */
  cut(): void
  /** Nothing gets through any more, and nobody is told; new connections are taken and hang. */
  freeze(): void
  mend(): void
  /** Cuts once so many bytes more have gone to the server. */
  cutAfter(bytes: number): void
}

export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: 'open' | 'cut' | 'frozen' = 'open'
  let left = Number.POSITIVE_INFINITY

  const server = createServer((client) => {
    if (state === 'cut') {
      client.destroy()
      return
    }
    const upstream = connect(target, '127.0.0.1')
    const pair = [client, upstream] as const
    pairs.add(pair)
    const pass = (from: Socket, to: Socket, counts: boolean) => {
      from.on('data', (data) => {
        if (counts) left -= data.length
        if (left <= 0) {
          to.write(data.subarray(0, data.length + left), () => {
            cut()
          })
        } else to.write(data)
      })
      from.on('error', () => from.destroy()) // the test's own doing
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    pass(client, upstream, true)
    pass(upstream, client, false)
    if (state === 'frozen') for (const socket of pair) socket.pause()
  })
  function drop(): void {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  function cut(): void {
    state = 'cut'
    drop()
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as { port: number }).port,
    drop,
    cut,
    freeze() {
      state = 'frozen'
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    mend() {
      state = 'open'
      left = Number.POSITIVE_INFINITY
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    cutAfter(bytes) {
      left = bytes
    },
    async [Symbol.asyncDispose]() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
