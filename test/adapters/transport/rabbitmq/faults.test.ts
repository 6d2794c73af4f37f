import assert from 'node:assert/strict'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { event, NONE, onBroker, type Opened } from './opened.ts'
import { startTraffic } from './traffic.ts'

describe('the RabbitMQ transport loses nothing that was confirmed, and keeps its order', function () {
  this.timeout(120_000)
  const broker = useBroker({ node: true })
  let given: Opened
  beforeEach(() => {
    given = onBroker(broker())
  })
  afterEach(() => given[Symbol.asyncDispose]())

  async function traffic() {
    const from = await given.transport()
    const started = startTraffic(given.name, from, await given.consuming())
    await started.more(100)
    return started
  }
  const node = () => broker().node!

  it('when its connections are closed, three times over', async () => {
    const flow = await traffic()
    for (let n = 0; n < 3; n++) {
      await node().rabbitmqctl('close_all_connections', 'a test')
      await flow.more(100)
    }
    await flow.end()
    assert.ok(given.logger.has('broker.disconnected'))
  })

  it('when the broker stops and starts', async () => {
    const flow = await traffic()
    await node().rabbitmqctl('stop_app')
    await node().rabbitmqctl('start_app')
    await flow.more(100)
    await flow.end()
  })

  for (const quorum of [true, false]) {
    it(`when the broker is killed -9, on ${quorum ? 'quorum' : 'classic'} queues`, async () => {
      const from = await given.transport({ quorum })
      const flow = startTraffic(given.name, from, await given.consuming(4, { quorum }))
      await flow.more(100)
      // A binding of a moment ago may be gone after a kill -9 (seen on 3.10.8), and what is published
      // before the consumer has bound again is then confirmed and reaches nobody.
      await node().rabbitmqctl('eval', 'mnesia:sync_log().')
      await node().kill()
      await node().start()
      await flow.more(100)
      await flow.end()
    })
  }

  it('when the queue is deleted: what comes after is received', async () => {
    const transport = await given.consuming()
    await given.admin.connection.queueDelete({ queue: given.queue })
    await until(() => given.logger.has('consumer.cancelled'), 'it has heard')
    await until(() => sendable(transport, given.name), 'it is bound again', 10_000)
    const message = await transport.readNextMessage()
    assert.equal(message?.domainMessage.$name, given.name)
    await transport.deleteMessage(message)
  })

  it('when the queue of a pause is deleted: the failed message stays in hand, and waits after all', async () => {
    const transport = await given.consuming()
    await transport.post('id-1', { $name: given.name }, NONE)
    const message = await transport.readNextMessage()
    assert.ok(message)
    await given.admin.connection.queueDelete({ queue: `${given.queue}-retry-1s` })
    const returning = transport.returnMessage(message)
    await until(() => given.logger.has('message.unsettled'), 'it could not be put there')
    await given.admin.connection.queueDelete({ queue: given.queue }) // declared again, with all
    await returning
    // With its queue the message itself is gone; nothing is left that could settle it.
    await until(() => given.admin.exists(given.queue), 'it is there again', 10_000)
    await until(() => sendable(transport, given.name), 'it is bound again', 10_000)
  })

  it('when memory runs out: publishing waits or is Unavailable, consuming goes on, and all goes on after', async () => {
    const flow = await traffic()
    const other = await given.transport()
    await node().rabbitmqctl('set_vm_memory_high_watermark', '0.0000001')
    try {
      await until(() => given.logger.has('broker.blocked'), 'publishers are blocked', 10_000)
      const started = performance.now()
      await assert.rejects(other.publish(event('nobody/listens'), NONE), Unavailable)
      const tookMs = performance.now() - started
      assert.ok(tookMs < 15_000, `Unavailable after ${tookMs} ms`)
    } finally {
      await node().rabbitmqctl('set_vm_memory_high_watermark', '0.6')
    }
    await until(() => given.logger.has('broker.unblocked'), 'publishers are free', 10_000)
    await flow.more(100)
    await flow.end()
  })

  it('acknowledges while publishers are blocked', async () => {
    const transport = await given.consuming(1)
    for (const id of ['1', '2', '3']) await transport.post(id, { $name: given.name }, NONE)
    await node().rabbitmqctl('set_vm_memory_high_watermark', '0.0000001')
    try {
      const blocked = transport.publish(event(given.name), NONE)
      await until(() => given.logger.has('broker.blocked'), 'publishers are blocked', 10_000)
      for (const id of ['1', '2', '3']) {
        const message = await transport.readNextMessage()
        assert.equal(message?.id, id)
        await transport.deleteMessage(message)
      }
      await assert.rejects(transport.check(), { code: 'broker-unavailable' })
      await node().rabbitmqctl('set_vm_memory_high_watermark', '0.6')
      await blocked
      await transport.check()
    } finally {
      await node().rabbitmqctl('set_vm_memory_high_watermark', '0.6')
    }
  })
})

async function sendable(transport: RabbitmqTransport, name: string): Promise<boolean> {
  try {
    await transport.post('probe', { $name: name }, NONE)
    return true
  } catch {
    return false // nobody is bound yet
  }
}
