import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { BusInstance } from '@node-ts/bus-core'
import type { Command } from '@node-ts/bus-messages'
import { type Admin, openAdmin, uniqueName, useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { startStockApp } from './stock-app.ts'

const ENCODE = uniqueName('media/encode')
class Encode implements Command {
  readonly $name: string = ENCODE
  readonly $version = 1
}

/** Each is a reason in docs/decisions/0005: should one be mended, that is to be read again. */
describe('the stock @node-ts/bus-rabbitmq 1.0.5 is not what the daemon can stand on: it', function () {
  this.timeout(30_000)
  const broker = useBroker({ node: true })
  let admin: Admin
  let queue: string
  let app: BusInstance | undefined
  let child: ChildProcess | undefined
  const letters = () => `${queue}-dead-letter`
  beforeEach(() => {
    admin = openAdmin(broker().url)
    queue = uniqueName('stock')
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    await app?.dispose()
    app = undefined
    for (const name of [queue, `${queue}-retry`, letters()]) {
      await admin.connection.queueDelete({ queue: name })
    }
    for (const exchange of [queue, `${queue}-retry`, ENCODE]) {
      await admin.connection.exchangeDelete({ exchange })
    }
    await admin[Symbol.asyncDispose]()
  })

  async function start(handle: () => unknown): Promise<BusInstance> {
    app = await startStockApp({
      url: broker().url,
      queue,
      deadLetterQueue: letters(),
      handlers: [{ messageType: Encode, handle }],
    })
    return app
  }

  it('sends messages that a restart of the broker loses', async () => {
    const bus = await start(() => undefined)
    const copies = uniqueName('copies')
    await admin.connection.queueDeclare({ queue: copies, durable: true })
    await admin.connection.queueBind({ queue: copies, exchange: ENCODE })
    await bus.send(new Encode())
    await until(async () => (await admin.count(copies)) === 1, 'it is there')
    const message = await admin.connection.basicGet({ queue: copies, noAck: true })
    assert.equal(message?.durable, false)
    await admin.connection.queueDelete({ queue: copies })
  })

  it('says that a message is sent which no broker has taken', async () => {
    const bus = await start(() => undefined)
    await broker().node!.rabbitmqctl('set_vm_memory_high_watermark', '0.0000001')
    try {
      await bus.send(new Encode())
      await bus.send(new Encode())
    } finally {
      await broker().node!.rabbitmqctl('set_vm_memory_high_watermark', '0.6')
    }
  })

  it('lives on without its connection, and never connects again', async () => {
    const bus = await start(() => assert.fail('it receives nothing any more'))
    await broker().node!.rabbitmqctl('close_all_connections', 'a test')
    await until(() => reachable(admin, queue), 'others are connected again', 10_000)
    await assert.rejects(bus.send(new Encode()), /Channel closed/)
    const channel = await admin.connection.acquire()
    await channel.confirmSelect()
    const body = Buffer.from(JSON.stringify(new Encode()))
    await channel.basicPublish({ routingKey: queue }, body)
    await channel.close()
    await bus.stop()
    assert.equal(await admin.count(queue), 1)
    // It has no channel to close either, and stops half way.
    app = undefined
    await assert.rejects(bus.dispose(), /Channel closed/)
  })

  it('has used up ten tries within seconds', async () => {
    let tries = 0
    let firstMs = 0
    const bus = await start(() => {
      firstMs ||= performance.now()
      tries += 1
      throw new Error('the database restarts')
    })
    await bus.send(new Encode())
    await until(async () => (await admin.count(letters())) === 1, 'it is given up', 15_000)
    assert.equal(tries, 10)
    assert.ok(performance.now() - firstMs < 10_000)
  })

  it('holds what it cannot read for ever, and never dead-letters it', async () => {
    let handled = 0
    const bus = await start(() => void (handled += 1))
    const channel = await admin.connection.acquire()
    await channel.confirmSelect()
    await channel.basicPublish({ routingKey: queue }, Buffer.from('no JSON'))
    await channel.close()
    await bus.send(new Encode())
    await until(() => handled === 1, 'what came behind it is handled')
    assert.equal(await admin.count(letters()), 0)
    const { node } = broker()
    await until(
      async () => {
        const text = await node!.rabbitmqctl('list_queues', 'name', 'messages_unacknowledged')
        return text.includes(`${queue}\t1\n`)
      },
      'it is still unacknowledged',
      15_000,
    )
  })

  it('does not start where its dead-letter queue, which applications share, is of another kind', async () => {
    await admin.connection.queueDeclare({
      queue: letters(),
      durable: true,
      arguments: { 'x-queue-type': 'quorum' },
    })
    // Its channel tells of it as an event as well, which nobody hears: in a process of its own.
    const program = fileURLToPath(new URL('stock-idle.ts', import.meta.url))
    child = spawn(process.execPath, [program, broker().url, queue], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr!.on('data', (text: Buffer) => (said += text.toString()))
    const [code] = (await once(child, 'close')) as [number]
    assert.equal(code, 1)
    assert.match(said, /406|PRECONDITION/)
  })
})

async function reachable(admin: Admin, queue: string): Promise<boolean> {
  try {
    await admin.count(queue)
    return true
  } catch {
    return false // not connected yet
  }
}
