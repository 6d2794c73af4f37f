import assert from 'node:assert/strict'
import { uniqueName, useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { event, NONE, onBroker, type Opened } from './opened.ts'

describe('a user of RabbitMQ who may not write everywhere', function () {
  this.timeout(60_000)
  const broker = useBroker({ node: true })
  const user = uniqueName('user')
  const forbidden = uniqueName('forbidden')
  let given: Opened
  let url: string
  beforeEach(async () => {
    given = onBroker(broker())
    const node = broker().node!
    await node.rabbitmqctl('add_user', user, 'pass')
    await node.rabbitmqctl('set_permissions', user, '.*', '^(queue-|media/|amq)', '.*')
    const exchange = { exchange: forbidden, type: 'fanout', durable: true }
    await given.admin.connection.exchangeDeclare(exchange)
    url = Object.assign(new URL(broker().url), { username: user, password: 'pass' }).href
  })
  afterEach(async () => {
    await given.admin.connection.exchangeDelete({ exchange: forbidden })
    await given[Symbol.asyncDispose]()
    await broker().node!.rabbitmqctl('delete_user', user)
  })

  it('is told of the one message that is refused, and the others go out', async () => {
    const transport = await given.consuming(4, { url })
    const publish = (n: number) => transport.publish(event(given.name, { n }), NONE)
    const together = () =>
      Promise.allSettled([publish(1), transport.publish(event(forbidden), NONE), publish(2)])
    // Who was under way with it has to come again: once.
    await together()
    const [first, refused, last] = await together()
    assert.equal(first.status, 'fulfilled')
    assert.equal(last.status, 'fulfilled')
    assert.equal(refused.status, 'rejected')
    assert.equal((refused.reason as { code: string }).code, 'exchange-refused')
    assert.match(String(refused.reason), /ACCESS_REFUSED/)
    await publish(3)

    await broker().node!.rabbitmqctl('set_permissions', user, '.*', '.*', '.*')
    await transport.publish(event(forbidden), NONE)
  })

  it('receives what somebody else has declared after it was refused', async () => {
    const transport = await given.consuming(4, { url })
    const late = uniqueName('late')
    await broker().node!.rabbitmqctl('set_permissions', user, '^queue-', '.*', '.*')
    await transport.subscribe([late])
    await assert.rejects(transport.check(), /late.* cannot be received/)
    const { connection } = given.admin
    await connection.exchangeDeclare({ exchange: late, type: 'fanout', durable: true })
    const isReceived = () =>
      transport.check().then(
        () => true,
        () => false,
      )
    await until(isReceived, 'it is tried again', 30_000)
    await transport.post('id-1', { $name: late }, NONE)
    const message = await transport.readNextMessage()
    assert.equal(message?.domainMessage.$name, late)
    await transport.deleteMessage(message)
    await connection.exchangeDelete({ exchange: late })
  })
})
