import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  copyEnvelope,
  HEADER,
  type Received,
  triesOf,
  UNTRIED,
} from '../../../../adapters/transport/rabbitmq/envelope.ts'
import {
  nearestPauseMs,
  serviceTopology,
} from '../../../../adapters/transport/rabbitmq/topology.ts'
import { RETRY_PAUSES_MS } from '../../../../src/core/retry-pauses.ts'

describe('what the RabbitMQ transport has on the broker', () => {
  it('is one queue, a queue for each pause that leads back to it, and the dead letters', () => {
    const { queues, bindings } = serviceTopology({ queue: 'q', quorum: true })
    assert.deepEqual(
      queues.map(({ name }) => name).sort(),
      ['1s', '5s', '25s', '125s', '300s']
        .map((pause) => `q-retry-${pause}`)
        .concat('q', 'q-dead-letter')
        .sort(),
    )
    assert.deepEqual(bindings, [{ queue: 'q', exchange: 'q', routingKey: '' }])
    for (const { name, arguments: args } of queues) {
      assert.equal(args['x-queue-type'], 'quorum', name)
      // To RabbitMQ 3 an unlimited number of deliveries is none.
      assert.equal(args['x-delivery-limit'], undefined, name)
    }
  })

  it('never drops what a broker dead-letters, on quorum queues', () => {
    for (const { arguments: args } of serviceTopology({ queue: 'q', quorum: true }).queues) {
      if (args['x-dead-letter-exchange'] === undefined) continue
      assert.equal(args['x-dead-letter-strategy'], 'at-least-once')
      assert.equal(args['x-overflow'], 'reject-publish') // at-least-once is not to be had without
    }
  })

  it('knows for every wish a pause that there is, none nearer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), (wish) => {
        const found = Math.abs(nearestPauseMs(wish) - wish)
        for (const pauseMs of RETRY_PAUSES_MS) assert.ok(found <= Math.abs(pauseMs - wish))
      }),
    )
  })
})

describe('a copy of a message', () => {
  const received = (differs: Partial<Received>): Received => ({
    consumerTag: '',
    deliveryTag: 1,
    exchange: '',
    redelivered: false,
    routingKey: '',
    body: Buffer.from(''),
    ...differs,
  })

  it('has the headers of the original and not the broker’s, and a replayed one none of ours', () => {
    const headers = {
      attributes: '{}',
      other: 1,
      'x-death': [{}],
      'x-first-death-queue': 'q',
      'x-last-death-reason': 'expired',
      'x-delivery-count': 3,
      'x-acquired-count': 3,
      CC: ['a'],
      BCC: ['b'],
      [HEADER.tries]: 4,
    }
    const copy = copyEnvelope(received({ headers, userId: 'guest', expiration: '1' }), {})
    assert.deepEqual(copy, {
      durable: true,
      headers: { attributes: '{}', other: 1, [HEADER.tries]: 4 },
    })
    const replayed = copyEnvelope(received({ headers }), UNTRIED).headers ?? {}
    assert.equal(replayed[HEADER.tries], undefined)
  })

  it('counts no tries that make no sense', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const tries = triesOf(received({ headers: { [HEADER.tries]: value } }))
        assert.ok(Number.isInteger(tries) && tries >= 0)
      }),
    )
  })
})
