import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { Connection } from 'rabbitmq-client'
import { connectionOptions } from '../../../../adapters/transport/rabbitmq/connection.ts'

describe('a connection to RabbitMQ over TLS', () => {
  const pem = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../../fixtures/tls', name))

  /** The name that the server is asked for: false where it is asked for none. */
  async function nameAskedFor(host: string): Promise<string | false | null> {
    const server = createServer({ key: pem('server.key'), cert: pem('server.crt') })
    server.listen(0)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const url = `amqps://guest:guest@${host}:${port}`
    const connection = new Connection(
      connectionOptions({ url, tls: { rejectUnauthorized: false } }, 'test'),
    )
    connection.on('error', () => undefined)
    const [socket] = await secured
    const { servername } = socket as TLSSocket & { readonly servername: string | false | null }
    connection.unsafeDestroy()
    socket.destroy()
    server.close()
    return servername
  }

  it('asks for the server’s name, for there may be others behind one address', async () => {
    assert.equal(await nameAskedFor('localhost'), 'localhost')
  })

  it('asks for none where the URL has an address', async () => {
    assert.equal(await nameAskedFor('127.0.0.1'), false)
  })
})
