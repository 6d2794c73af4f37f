import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect as tcp } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { connect } from 'amqplib'
import { Client } from 'pg'
import { POSTGRES } from '../../adapters/store/postgres/dialect.ts'
import type { WireTask } from '../../src/core/wire.ts'
import { Cli } from '../cli/run-cli.ts'
import { Installation, shell } from '../support/daemon.ts'
import { freshDatabase, ownServer } from '../support/postgres.ts'
import { startProxy } from '../support/proxy.ts'
import { type Admin, openAdmin, uniqueName, useBroker } from '../support/rabbitmq.ts'
import { until } from '../support/store.ts'

const CONVERT = {
  command: shell('echo "$LONGHAUL_INPUT"'),
  'x-task': { command: 'e2e/convert', id: '/imageId' },
}

interface Letter {
  readonly id: string
  readonly tries: number
  readonly error: { readonly name: string }
}

describe('a daemon on RabbitMQ and Postgres', function () {
  this.timeout(60_000)
  const broker = useBroker()
  const queue = uniqueName('e2e')
  const opened = new AsyncDisposableStack()
  let daemon: Installation
  let admin: Admin
  before(async function () {
    const database = opened.use(await freshDatabase(this))
    admin = opened.use(openAdmin(broker().url))
    opened.defer(() => admin.removeService(queue, ['e2e/convert', 'e2e/resize']))
    daemon = await Installation.make(
      { convert: CONVERT },
      {
        bus: { kind: 'rabbitmq', url: broker().url, queue },
        store: { kind: 'postgres', url: database.url },
      },
    )
    opened.use(daemon)
    assert.equal(await daemon.start(), 'started')
  })
  after(() => opened.disposeAsync())

  /** As any language's client does it: bytes to an exchange, no headers. Gives whether a queue took it. */
  async function publish(exchange: string, body: string): Promise<boolean> {
    const connection = await connect(broker().url)
    const channel = await connection.createConfirmChannel()
    let returned = false
    channel.on('return', () => (returned = true))
    channel.publish(exchange, '', Buffer.from(body), { persistent: true, mandatory: true })
    await channel.waitForConfirms()
    await connection.close()
    return !returned
  }
  const letters = async () =>
    (await daemon.json<{ deadLetters: Letter[] }>('/v1/dead-letters')).deadLetters
  async function cli(...args: string[]) {
    await using run = new Cli([...args, '--url', daemon.url])
    return await run.ended
  }

  it('runs what a client of another language asks for in plain JSON', async () => {
    assert.ok(await publish('e2e/convert', '{ "$name": "e2e/convert", "imageId": 7, "ü": "ß" }'))
    const { outcome } = await daemon.ended('convert/7')
    assert.equal(outcome?.state, 'succeeded')
    assert.deepEqual(JSON.parse(await daemon.output('convert/7')), { imageId: 7, ü: 'ß' })
  })

  it('tells the outcome in plain JSON on an exchange of the event’s name', async () => {
    const connection = await connect(broker().url)
    const channel = await connection.createChannel()
    const { queue: mine } = await channel.assertQueue('', { exclusive: true })
    await channel.bindQueue(mine, 'longhaul/task-succeeded', '')
    const heard: WireTask[] = []
    await channel.consume(mine, (message) => {
      heard.push(JSON.parse(String(message?.content)) as WireTask)
      channel.ack(message!)
    })
    await publish('e2e/convert', '{ "$name": "e2e/convert", "imageId": "told" }')
    const told = () => heard.map((event) => (event as unknown as { taskId: string }).taskId)
    await until(() => told().includes('convert/told'), 'it is told', 20_000)
    await connection.close()
  })

  it('receives a command of a task type file that came later, without a restart', async () => {
    await daemon.writeType('resize', {
      command: ['true'],
      'x-task': { command: 'e2e/resize', id: '/imageId' },
    })
    const sent = async () =>
      (await admin.connection
        .exchangeDeclare({ exchange: 'e2e/resize', passive: true })
        .then(() => true)
        .catch(() => false)) && publish('e2e/resize', '{ "$name": "e2e/resize", "imageId": "new" }')
    await until(sent, 'the command reaches the daemon', 20_000)
    assert.equal((await daemon.ended('resize/new')).outcome?.state, 'succeeded')
  })

  it('shows what cannot be read as a dead letter, over HTTP and in the CLI, to replay or drop', async () => {
    await publish('e2e/convert', '{ "$name": "e2e/conv')
    await until(async () => (await letters()).length === 1, 'there is a dead letter', 20_000)
    const [letter] = await letters()
    const listed = await cli('dead-letters', 'list', '--json')
    assert.equal(listed.code, 0, listed.stderr)
    assert.match(listed.stdout, new RegExp(letter!.id))
    const shown = await cli('dead-letters', 'show', letter!.id)
    assert.match(shown.stdout, /\{ "\$name": "e2e\/conv/)
    // It cannot be read this time either.
    assert.equal((await cli('dead-letters', 'replay', letter!.id)).code, 0)
    await until(async () => (await letters()).length === 1, 'it is there again', 20_000)
    const [again] = await letters()
    assert.equal((await cli('dead-letters', 'drop', again!.id)).code, 0)
    assert.deepEqual(await letters(), [])
    const gone = await cli('dead-letters', 'drop', again!.id)
    assert.equal(gone.code, 1, gone.stdout)
  })
})

describe('a daemon whose services come up after it', function () {
  this.timeout(120_000)
  const broker = useBroker()

  it('waits for them, and then does its work', async function () {
    await using postgres = await ownServer(this)
    await postgres.kill()
    const queue = uniqueName('e2e')
    await using toBroker = await startProxy(Number(new URL(broker().url).port))
    toBroker.cut()
    const url = new URL(broker().url)
    url.port = String(toBroker.port)
    await using daemon = await Installation.make(
      { convert: CONVERT },
      {
        bus: { kind: 'rabbitmq', url: url.href, queue },
        store: { kind: 'postgres', url: postgres.url },
      },
    )
    const stopped = daemon.start()
    await daemon.logged(({ msg }) => msg === 'store.awaited', 'it waits')
    assert.equal(await daemon.end(), 0, 'it stops while it waits')
    assert.equal(await stopped, 0)

    const started = daemon.start()
    await daemon.logged(({ msg }) => msg === 'store.awaited', 'it waits', {
      from: daemon.log.length,
    })
    await postgres.start()
    assert.equal(await started, 'started')
    await daemon.run('convert', undefined, { input: { imageId: 'before' } })
    const left = (await daemon.fetch('/readyz')).status
    assert.equal(left, 503, 'without its broker it is not ready')
    assert.equal((await daemon.ended('convert/before')).outcome?.state, 'succeeded')
    toBroker.mend()
    await until(async () => (await daemon.fetch('/readyz')).status === 200, 'it is ready', 30_000)
    await daemon.send({ $name: 'e2e/convert', imageId: 'after' })
    assert.equal((await daemon.ended('convert/after')).outcome?.state, 'succeeded')
    await using admin = openAdmin(broker().url)
    await admin.removeService(queue, ['e2e/convert'])
  })
})

describe('a daemon that waits while another migrates', function () {
  this.timeout(60_000)

  it('stops all the same when it is asked to', async function () {
    await using database = await freshDatabase(this)
    await using held = new AsyncDisposableStack()
    const other = new Client({ connectionString: database.url })
    await other.connect()
    held.defer(() => other.end())
    const [lock] = POSTGRES.migrationLock.filter(({ text }) => text.includes('advisory'))
    await other.query('BEGIN')
    await other.query(lock!.text)
    await using daemon = await Installation.make(
      { convert: CONVERT },
      { store: { kind: 'postgres', url: database.url } },
    )
    const started = daemon.start()
    await until(async () => {
      const waiting = await database.query(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
      )
      return waiting.length > 0
    }, 'it waits')
    assert.equal(await daemon.end(), 0)
    assert.equal(await started, 0)
  })
})

describe('a daemon whose RabbitMQ speaks TLS and wants to see a certificate', function () {
  this.timeout(60_000)
  const broker = useBroker()
  const file = (name: string) => join(import.meta.dirname, '../fixtures/tls', name)
  const opened = new AsyncDisposableStack()
  let port: number
  before(async () => {
    const pem = (name: string) => readFileSync(file(name))
    const server = createServer(
      { key: pem('server.key'), cert: pem('server.crt'), ca: pem('ca.crt'), requestCert: true },
      (client) => {
        const plain = tcp(Number(new URL(broker().url).port), '127.0.0.1')
        client.pipe(plain).pipe(client)
        for (const one of [client, plain]) one.on('error', () => one.destroy())
      },
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    opened.defer(() => void server.close())
    port = (server.address() as AddressInfo).port
  })
  after(() => opened.disposeAsync())

  async function started(files: object): Promise<Installation> {
    const queue = uniqueName('tls')
    const url = `amqps://guest:guest@127.0.0.1:${port}`
    const bus = { kind: 'rabbitmq', url, queue, ...files }
    const daemon = opened.use(await Installation.make({ convert: CONVERT }, { bus }))
    opened.defer(async () => {
      await using admin = openAdmin(broker().url)
      await admin.removeService(queue, ['e2e/convert'])
    })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
    return daemon
  }

  it('works with the certificates that its file names', async () => {
    const daemon = await started({
      ca_file: file('ca.crt'),
      cert_file: file('client.crt'),
      key_file: file('client.key'),
    })
    await daemon.send({ $name: 'e2e/convert', imageId: 'secret' })
    assert.equal((await daemon.ended('convert/secret')).outcome?.state, 'succeeded')
    assert.equal(await daemon.end(), 0)
  })

  it('trusts nobody whom its file and the system do not, and says so', async () => {
    const daemon = await started({})
    const said = await daemon.logged(({ msg }) => msg === 'broker.disconnected', 'it is refused')
    assert.match(String(said['error']), /certificate/)
    assert.equal((await daemon.fetch('/readyz')).status, 503)
  })
})
