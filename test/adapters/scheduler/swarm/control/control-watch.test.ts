import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js'
import {
  type ControlWatch,
  openControlWatch,
} from '../../../../../adapters/scheduler/swarm/control/control-watch.ts'
import type { WatchMessage } from '../../../../../adapters/scheduler/swarm/control/messages.ts'
import { field } from '../../../../../adapters/scheduler/swarm/control/wire.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import { within } from '../../../../contract/scheduler-adapter.ts'

const LIMIT_MS = 30_000
const TLS = join(import.meta.dirname, '../../../../fixtures/tls')

type Watching = ServerWritableStream<Buffer, Buffer>

/** A manager's control socket in a folder, until it is stopped; its file goes with it. */
interface Manager extends AsyncDisposable {
  readonly watching: Set<Watching>
  /** As a dockerd that is told to end ends its watches. */
  stop(): Promise<void>
}

async function manager(folder: string): Promise<Manager> {
  const watching = new Set<Watching>()
  const bytes = (message: Buffer): Buffer => message
  const server = new Server()
  const method = {
    path: '/docker.swarmkit.v1.Watch/Watch',
    requestStream: false,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  }
  server.addService(
    { watch: method },
    {
      watch: (call: Watching) => {
        watching.add(call)
        call.on('cancelled', () => watching.delete(call))
        call.write(Buffer.alloc(0))
      },
    },
  )
  const [key, crt] = await Promise.all(
    ['server.key', 'server.crt'].map((name) => readFile(join(TLS, name))),
  )
  const pair = { private_key: key!, cert_chain: crt! }
  await new Promise<void>((resolve, reject) => {
    const credentials = ServerCredentials.createSsl(null, [pair])
    server.bindAsync(`unix:${join(folder, 'control.sock')}`, credentials, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
  return {
    watching,
    async stop() {
      for (const call of watching) {
        call.emit('error', { code: status.CANCELLED, details: 'context canceled' })
      }
      await new Promise<void>((resolve) => {
        server.tryShutdown(() => {
          resolve()
        })
      })
    },
    [Symbol.asyncDispose]() {
      // A shutdown waits for whoever still watches.
      server.forceShutdown()
      return Promise.resolve()
    },
  }
}

describe('a watch by the control socket', () => {
  let folder: string
  let told: WatchMessage[]
  let given: AbortController
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhaul-manager-'))
    told = []
    given = new AbortController()
  })
  afterEach(async () => {
    given.abort()
    await rm(folder, { recursive: true })
  })

  const open = (): Promise<ControlWatch> =>
    openControlWatch({
      path: folder,
      installation: 'i',
      tell: (message) => told.push(message),
      signal: given.signal,
    })
  const tellOf = (by: Manager, node: string): void => {
    const updated = Buffer.concat([field(1, 2), field(2, field(1, field(1, node)))])
    for (const call of by.watching) call.write(Buffer.from(field(1, updated)))
  }
  const hears = (node: string) =>
    within(LIMIT_MS, `it hears of ${node}`, () =>
      Promise.resolve(told.some(({ nodes }) => nodes.some(({ ID }) => ID === node)) || undefined),
    )

  it('ends when its manager is told to end, and the next one is by the socket that is made anew', async () => {
    {
      await using first = await manager(folder)
      const watch = await open()
      tellOf(first, 'n1')
      await hears('n1')
      await first.stop()
      const why = await watch.ended
      assert(why instanceof Unavailable)
      assert.match(why.message, /^the control socket: 1 CANCELLED/)
    }
    await assert.rejects(open(), (error: unknown) => {
      assert(error instanceof Unavailable)
      assert.match(error.message, /ENOENT/)
      return true
    })
    await using second = await manager(folder)
    const watch = await open()
    tellOf(second, 'n2')
    await hears('n2')
    watch.end()
    assert((await watch.ended) instanceof Unavailable)
  })
})
