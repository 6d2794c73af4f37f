import assert from 'node:assert/strict'
import type { RabbitmqTransport } from '../../../../adapters/transport/rabbitmq/transport.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { useBroker } from '../../../support/rabbitmq.ts'
import { until } from '../../../support/store.ts'
import { event, NONE, onBroker, type Opened } from './opened.ts'
import { startProxy, type Proxy } from '../../../support/proxy.ts'
import { startTraffic } from './traffic.ts'

describe('the RabbitMQ transport, over a bad network', function () {
  this.timeout(120_000)
  const broker = useBroker()
  let given: Opened
  let network: Proxy
  /** The broker's URL, but through the network. */
  let url: string
  beforeEach(async () => {
    given = onBroker(broker())
    const through = new URL(broker().url)
    network = await startProxy(Number(through.port))
    through.port = String(network.port)
    through.searchParams.set('heartbeat', '1')
    url = through.href
  })
  afterEach(async () => {
    await given[Symbol.asyncDispose]()
    await network[Symbol.asyncDispose]()
  })

  it('loses nothing while it is cut and mended, over and over', async () => {
    const from = await given.transport({ url })
    const flow = startTraffic(given.name, from, await given.consuming(4, { url }))
    for (let n = 0; n < 3; n++) {
      await flow.more(100)
      const before = flow.refusals()
      network.cut()
      await until(() => flow.refusals() > before, 'it is felt')
      network.mend()
    }
    await flow.more(100)
    await flow.end()
  })

  it('notices by the heartbeats that it is frozen, and goes on when it thaws', async () => {
    const from = await given.transport({ url })
    const flow = startTraffic(given.name, from, await given.consuming(4, { url }))
    await flow.more(100)
    network.freeze()
    await until(() => given.logger.has('broker.disconnected'), 'it is noticed', 15_000)
    await until(() => flow.refusals() > 0, 'publishing is Unavailable', 15_000)
    network.mend()
    await flow.more(100)
    await flow.end()
  })

  it('has published nothing where a message was cut in its middle', async () => {
    const to = await given.consuming()
    const from = await given.transport({ url })
    const large = event(given.name, { text: 'x'.repeat(2_000_000) })
    network.cutAfter(500_000)
    await assert.rejects(from.publish(large, NONE), Unavailable)
    network.mend()
    await until(() => reached(from), 'it is back', 20_000)
    await from.publish(event(given.name, { text: 'whole' }), NONE)
    const message = await to.readNextMessage()
    assert.equal(Reflect.get(message!.domainMessage, 'text'), 'whole')
    await to.deleteMessage(message!)
  })

  it('settles nothing of a connection that is gone: the message comes again, its tries as they were', async () => {
    const transport = await given.consuming(1, { url })
    await transport.post('id-1', { $name: given.name }, NONE)
    const message = await transport.readNextMessage()
    network.cut()
    await until(() => given.logger.has('broker.disconnected'), 'it is felt')
    network.mend()
    const again = await transport.readNextMessage()
    assert.deepEqual([again?.id, again?.raw.tries], ['id-1', 0])
    transport.failed(message!.raw, new Error('too late'))
    await transport.returnMessage(message!)
    await transport.fail(message!)
    await transport.deleteMessage(message!)
    await transport.deleteMessage(again!)
    await until(() => reached(transport), 'both connections are back', 20_000)
    assert.equal(await given.admin.count(`${given.queue}-retry-1s`), 0)
    assert.deepEqual((await transport.deadLetters.list({ limit: 5 })).letters, [])
  })

  it('can be closed while it is frozen', async () => {
    const slow = url.replace('heartbeat=1', 'heartbeat=60')
    const transport = await given.consuming(1, { url: slow })
    network.freeze()
    const started = performance.now()
    await transport.dispose()
    assert.ok(performance.now() - started < 10_000)
  })
})

async function reached(transport: RabbitmqTransport): Promise<boolean> {
  try {
    await transport.check()
    return true
  } catch (error) {
    assert.ok(error instanceof Unavailable)
    return false
  }
}
