import assert from 'node:assert/strict'
import { connectionOptions } from '../../../../adapters/transport/rabbitmq/connection.ts'
import { uniqueName, useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { event, NONE, onBroker, type Opened } from './opened.ts'
import { startProxy } from '../../../support/proxy.ts'

describe('where RabbitMQ is', () => {
  it('takes user, vhost, heartbeat and TLS from the URL, and the password from beside it', () => {
    const url = 'amqps://user:old@rabbit.example.com/my%2Fvhost?heartbeat=3'
    const tls = { ca: 'certificate' }
    const options = connectionOptions({ url, password: 'a b/@:%§', tls }, 'test')
    const given = new URL(options.url!)
    assert.equal(decodeURIComponent(given.password), 'a b/@:%§')
    assert.deepEqual([given.username, given.pathname], ['user', '/my%2Fvhost'])
    assert.equal(given.searchParams.get('heartbeat'), '3')
    assert.deepEqual(options.tls, { servername: 'rabbit.example.com', ...tls })
  })

  it('brings an IPv6 address to the socket without its brackets', () => {
    const { socket } = connectionOptions({ url: 'amqp://[::1]:5673' }, 'test')
    assert.deepEqual(socket, { host: '::1', port: 5673 })
  })

  it('refuses what is no such URL without repeating it', () => {
    for (const url of ['http://user:secret@rabbit', 'secret', '']) {
      assert.throws(
        () => connectionOptions({ url }, 'test'),
        (error: Error) => {
          assert.equal(Reflect.get(error, 'code'), 'bad-bus-url')
          assert.ok(!error.message.includes('secret'))
          return true
        },
      )
    }
  })
})

describe('opening the RabbitMQ transport', function () {
  this.timeout(60_000)
  const broker = useBroker()
  let given: Opened
  beforeEach(() => {
    given = onBroker(broker())
  })
  afterEach(() => given[Symbol.asyncDispose]())

  it('does not wait for a broker that is away, and receives as soon as it comes', async () => {
    const url = new URL(broker().url)
    await using network = await startProxy(Number(url.port))
    network.cut()
    url.port = String(network.port)
    const transport = await given.consuming(1, { url: url.href })
    assert.ok(given.logger.has('broker.awaited'))
    await assert.rejects(transport.check(), { code: 'broker-unavailable' })
    network.mend()
    await until(
      () =>
        transport.check().then(
          () => true,
          () => false,
        ),
      'it is there',
      20_000,
    )
    await transport.post('id-1', { $name: given.name }, NONE)
    const message = await transport.readNextMessage()
    assert.equal(message?.id, 'id-1')
    await transport.deleteMessage(message)
  })

  it('says that the password is wrong, and never what it is', async () => {
    const transport = await given.transport({ password: 'not-the-password' })
    await assert.rejects(transport.check(), { code: 'broker-unavailable' })
    const said = JSON.stringify(given.logger.lines)
    assert.match(said, /ACCESS_REFUSED/)
    assert.ok(!said.includes('not-the-password'))
  })

  it('says that a queue of its name is of another kind', async () => {
    await (await given.transport({ quorum: false })).dispose()
    const transport = await given.transport({ quorum: true })
    await assert.rejects(transport.check(), /PRECONDITION_FAILED.*x-queue-type/)
    await assert.rejects(transport.topology({ receives: [], publishes: [] }), {
      code: 'topology-refused',
    })
  })

  it('receives its other messages where the broker refuses one of their names', async () => {
    const bad = uniqueName('topic')
    await given.admin.connection.exchangeDeclare({ exchange: bad, type: 'topic', durable: true })
    const transport = await given.transport()
    await transport.subscribe([bad, 'x'.repeat(300), given.name])
    await transport.start()
    await transport.post('id-1', { $name: given.name }, NONE)
    const message = await transport.readNextMessage()
    await transport.deleteMessage(message!)
    await assert.rejects(transport.check(), new RegExp(`${bad} cannot be received`))
    await assert.rejects(transport.publish(event(bad), NONE), { code: 'exchange-refused' })
    await transport.publish(event(given.name), NONE)
    await given.admin.connection.exchangeDelete({ exchange: bad })
  })

  it('declares everything beforehand, so that what is sent before the first start is kept', async () => {
    const early = await given.transport()
    const published = uniqueName('media/encoded')
    const topology = await early.topology({ receives: [given.name], publishes: [published] })
    await early.dispose()
    assert.deepEqual(
      topology.exchanges.map(({ name }) => name),
      [given.queue, given.name, published],
    )
    await given.admin.connection.exchangeDelete({ exchange: published })
    const sender = await given.transport()
    await sender.post('early', { $name: given.name }, NONE)
    const transport = await given.consuming()
    const message = await transport.readNextMessage()
    assert.equal(message?.id, 'early')
    await transport.deleteMessage(message)
  })

  it('carries a correlation id that is too long for its property, and refuses such ids and names', async () => {
    const transport = await given.consuming()
    const correlationId = '§'.repeat(200)
    await transport.publish(event(given.name), { ...NONE, correlationId })
    const message = await transport.readNextMessage()
    assert.equal(message?.attributes.correlationId, correlationId)
    await transport.deleteMessage(message)
    await assert.rejects(transport.post('§'.repeat(200), { $name: given.name }, NONE), {
      code: 'bad-id',
    })
    await assert.rejects(transport.post('1', { $name: 'x'.repeat(256) }, NONE), {
      code: 'unknown-message',
    })
  })
})
