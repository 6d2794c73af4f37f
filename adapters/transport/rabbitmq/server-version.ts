import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { errorMessage, Unavailable } from '../../../src/core/errors.ts'
import { type BrokerAddress, connectionOptions } from './connection.ts'

const LIMIT_MS = 5_000
/** AMQP 0-9-1, section 4.2.2. */
const PROTOCOL_HEADER = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')
const FRAME_END = 0xce

/**
 * The product and version by which a broker greets whoever connects, before anybody says who he is:
 * `RabbitMQ 4.1.0`. The client library keeps it to itself. `Unavailable` where nothing greets.
 */
export async function serverVersion(address: BrokerAddress): Promise<string> {
  const { url = '', tls } = connectionOptions(address, 'greeting')
  const { hostname, port, protocol } = new URL(url)
  const secure = protocol === 'amqps:'
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const at = { host, port: Number(port || (secure ? 5671 : 5672)) }
  const socket = secure
    ? connectTls({ ...at, ...(typeof tls === 'object' && tls) })
    : connectPlain(at)
  try {
    const greeting = (await firstFrame(socket)).toString('latin1')
    const [product, version] = [stringIn(greeting, 'product'), stringIn(greeting, 'version')]
    return `${product ?? 'an AMQP broker'} ${version ?? 'of an unknown version'}`
  } finally {
    socket.destroy()
  }
}

/** `Connection.Start`, which the server's properties are in. */
function firstFrame(socket: Socket): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const fail = (why: string, cause?: unknown) => {
    reject(new Unavailable('broker-unavailable', `RabbitMQ does not answer: ${why}`, cause))
  }
  let read = Buffer.alloc(0)
  socket.setTimeout(LIMIT_MS, () => {
    fail(`nothing has come within ${LIMIT_MS} ms`)
  })
  socket.on('error', (error) => {
    fail(errorMessage(error), error)
  })
  socket.on('close', () => {
    fail('the connection was closed')
  })
  socket.on('data', (chunk: Buffer) => {
    read = Buffer.concat([read, chunk])
    if (read[0] !== 1 && read.length > 0) fail('what is there does not speak AMQP 0-9-1')
    else if (read.at(-1) === FRAME_END) resolve(read)
  })
  socket.write(PROTOCOL_HEADER)
  return promise
}

/** Of a field table: the name with its length before it, `S`, four bytes of length, the text. */
function stringIn(table: string, name: string): string | undefined {
  const start = table.indexOf(`${String.fromCharCode(name.length)}${name}S`)
  if (start < 0) return undefined
  const at = start + 1 + name.length + 1
  const length = Buffer.from(table.slice(at, at + 4), 'latin1').readUInt32BE()
  return table.slice(at + 4, at + 4 + length)
}
