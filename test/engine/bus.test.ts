import { Bus, messageHandlingContext } from '@node-ts/bus-core'
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedTransport } from '../../adapters/transport/embedded/transport.ts'
import { Unavailable } from '../../src/core/errors.ts'
import { TaskWorkflowPersistence } from '../../src/engine/workflow.ts'
import { loadedType } from '../support/simulation.ts'
import { ManualClock, openMemoryStore, QuietLogger, until } from '../support/store.ts'
import { BusHarness } from './bus-harness.ts'

const ENCODE = loadedType('encode', {
  command: 'media/encode',
  id: '/videoId',
  retry: { max_attempts: 2, backoff: 'none' },
})
const EXITED = 'longhaul/task-exited'
const OK = { reason: 'completed', fault: 'none', code: 0, at: '2030-01-01T00:00:00Z' }

describe('the bus of the engine', () => {
  let engine: BusHarness
  beforeEach(async () => {
    engine = await BusHarness.open(ENCODE)
  })
  // bus-core's workers sleep for half a second before they end: they may all do so at once.
  const ending: Promise<void>[] = []
  afterEach(() => {
    ending.push(engine[Symbol.asyncDispose]())
  })
  after(() => Promise.all(ending))

  const encode = (videoId = '1') => engine.handled('media/encode', { videoId })
  const state = async (taskId = 'encode/1') => (await engine.find(taskId)).task.state

  describe('and the workflow', () => {
    it('brings an exit from the outbox to the workflow, which decides about it', async () => {
      await encode()
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'failed', code: 3 })
      await until(async () => (await state()) === 'queued', 'it is to be tried again')
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await until(async () => (await state()) === 'succeeded', 'it has succeeded')
      assert.equal(await engine.messagesLeft(), 0)
    })

    it('takes the exit from the store: a forged success of a failure changes nothing', async () => {
      await encode()
      let refused = 0
      engine.fault = (method) => {
        // Our own message waits for the store, so that the forged one comes first.
        if (method !== 'find') return
        refused += 1
        throw new Unavailable('store', 'away')
      }
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'failed', code: 65 })
      await until(() => refused > 0, 'our own could not be handled')
      assert.equal(engine.meter.outcomes.retried, 0, 'no try was spent')
      engine.fault = () => undefined
      await engine.handled(EXITED, { taskId: 'encode/1', attempt: 1, exit: OK })
      const { task, attempts } = await engine.find('encode/1')
      assert.equal(task.state, 'queued', 'the failure is retried')
      assert.equal(attempts[0]?.exit?.reason, 'failed')
    })

    it('ends no running task because a message says so', async () => {
      await encode()
      await engine.run('encode/1')
      const before = await engine.find('encode/1')
      for (const attempt of [1, 2, 0, '1', null, undefined]) {
        const forged = { taskId: 'encode/1', exit: OK, ...(attempt !== undefined && { attempt }) }
        await engine.handled(EXITED, forged)
      }
      assert.deepEqual(await engine.find('encode/1'), before)
    })

    it('decides about no attempt but the one that has ended', async () => {
      await encode()
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'failed', code: 3 })
      await until(async () => (await state()) === 'queued', 'the first is decided')
      await engine.run('encode/1')
      const before = await engine.find('encode/1')
      await engine.handled(EXITED, { taskId: 'encode/1', attempt: 1, exit: OK })
      assert.deepEqual(await engine.find('encode/1'), before, 'a late one finds nothing to do')
      engine.transport.publish = () => Promise.reject(new Error('the broker is away'))
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await engine.handled(EXITED, { taskId: 'encode/1', attempt: 1, exit: OK })
      assert.equal(await state(), 'exited', 'nor does it when the next has ended')
      await engine.handled(EXITED, { taskId: 'encode/1', attempt: 2 })
      assert.equal(await state(), 'succeeded')
    })

    it('lets go of messages about tasks that are not there or have no sense', async () => {
      const before = engine.meter.outcomes.handled
      for (const taskId of ['encode/unknown', 7, null, { a: 1 }]) {
        await engine.handled(EXITED, { taskId, attempt: 1, exit: OK })
      }
      assert.equal(engine.meter.outcomes.handled, before + 4)
      assert.equal(engine.meter.outcomes.retried, 0)
      assert.equal(await engine.messagesLeft(), 0)
    })

    it('never has bus-core save its copy of the state', async () => {
      const { prototype } = TaskWorkflowPersistence
      const original = Reflect.get(prototype, 'saveWorkflowState')
      let saved = 0
      prototype.saveWorkflowState = () => {
        saved += 1
        return Promise.resolve()
      }
      try {
        await encode()
        await engine.run('encode/1')
        await engine.exit('encode/1', { reason: 'completed', code: 0 })
        await until(async () => (await state()) === 'succeeded', 'it has succeeded')
        await until(() => engine.meter.outcomes.handled === 2, 'the message is done')
      } finally {
        prototype.saveWorkflowState = original
      }
      assert.equal(saved, 0)
      assert.throws(() => void original.call({}), /must save nothing/)
    })

    it('keeps an exit that cannot be decided for the next try', async () => {
      await encode()
      await engine.run('encode/1')
      let asked = 0
      engine.fault = (method) => {
        if (method === 'definition' && ++asked === 1) throw new Error('unreadable')
      }
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await until(() => engine.meter.outcomes.retried === 1, 'the first try has failed')
      const { task } = await engine.find('encode/1')
      assert.deepEqual([task.state, task.decideFailures], ['exited', 1])
      engine.clock.advance(1_000)
      await until(async () => (await state()) === 'succeeded', 'it has succeeded')
    })
  })

  describe('and names', () => {
    it('never lets go of a message that nobody here handles, and takes it once somebody does', async () => {
      await engine.transport.subscribe(['shop/import'])
      await engine.post('shop/import', { any: 'thing' }, 'm')
      await until(() => engine.meter.outcomes.retried === 1, 'the first try has failed')
      const second = new Date(engine.clock.now().getTime() + 1_000)
      await until(async () => {
        const due = await engine.store.messages.nextDue()
        return due?.getTime() === second.getTime()
      }, 'it is still there')
      engine.types.push(loadedType('import', { command: 'shop/import' }))
      engine.clock.advance(1_000)
      await until(() => engine.meter.outcomes.handled === 1, 'it is handled')
      assert.equal(await state('import/m'), 'queued')
    })

    it('dead-letters what nobody has handled in ten tries, and its sender is told', async () => {
      await engine.transport.subscribe(['shop/import'])
      await engine.post('shop/import', {}, 'm')
      for (let tries = 1; tries < 10; tries += 1) {
        await until(() => engine.meter.outcomes.retried === tries, `try ${tries} has failed`)
        await until(async () => (await engine.store.messages.nextDue()) !== undefined, 'it is back')
        engine.clock.advance(300_000)
      }
      await until(
        async () => (await engine.transport.deadLetters.list({ limit: 10 })).letters.length === 1,
        'it is dead-lettered',
      )
      const [letter] = (await engine.transport.deadLetters.list({ limit: 10 })).letters
      assert.deepEqual(
        [letter?.messageId, letter?.tries, letter?.error.name],
        ['m', 10, 'Rejected'],
      )
      const { events } = await engine.store.events.read({ limit: 10 })
      assert.deepEqual(
        events.map(({ name, message }) => [name, message['commandId']]),
        [['longhaul/task-rejected', 'm']],
      )
    })

    it('handles names that were added after the start', async () => {
      engine.types.push(loadedType('import', { command: 'shop/import' }))
      await assert.rejects(engine.post('shop/import', {}), { code: 'unknown-message' })
      await engine.subscribe()
      await engine.handled('shop/import', {}, 'm')
      assert.equal(await state('import/m'), 'queued')
    })

    it('does not hear its own events', async () => {
      await encode()
      await engine.run('encode/1')
      await until(async () => (await outboxLength(engine)) === 0, 'everything is published')
      assert.deepEqual(engine.meter.outcomes, { handled: 1, retried: 0, 'dead-lettered': 0 })
      assert.equal(await engine.messagesLeft(), 0)
    })
  })

  describe('and failures', () => {
    it('tries again after growing pauses, tells why, and gives up after ten', async () => {
      engine.fault = (method) => {
        if (method === 'accept') throw new Error('boom')
      }
      await engine.post('media/encode', { videoId: '1' }, 'm')
      const pauses: number[] = []
      for (let tries = 1; tries < 10; tries += 1) {
        await until(() => engine.meter.outcomes.retried === tries, `try ${tries} has failed`)
        let due: Date | undefined
        await until(async () => {
          due = await engine.store.messages.nextDue()
          return due !== undefined
        }, 'it is back in the queue')
        pauses.push(due!.getTime() - engine.clock.now().getTime())
        engine.clock.advance(pauses.at(-1)!)
      }
      await until(() => engine.meter.outcomes['dead-lettered'] === 1, 'it is given up')
      assert.deepEqual(
        pauses.map((ms) => ms / 1000),
        [1, 5, 25, 125, 300, 300, 300, 300, 300],
      )
      const letters = async () => (await engine.transport.deadLetters.list({ limit: 9 })).letters
      await until(async () => (await letters()).length === 1, 'the letter is there')
      const [letter] = await letters()
      assert.deepEqual([letter?.error.message, letter?.tries], ['boom', 10])
    })

    it('spends no try while the store is away', async () => {
      let away = 12
      engine.fault = (method) => {
        if (method === 'accept' && away-- > 0) throw new Unavailable('store', 'away')
      }
      await engine.post('media/encode', { videoId: '1' }, 'm')
      await until(async () => {
        engine.clock.advance(1_000)
        await new Promise((resolve) => setImmediate(resolve))
        return engine.meter.outcomes.handled === 1
      }, 'it is handled')
      assert.ok(away <= 0)
      assert.equal(await state(), 'queued')
      assert.deepEqual((await engine.transport.deadLetters.list({ limit: 1 })).letters, [])
    })

    it('spends no try of a TaskExited while the store is away', async () => {
      await encode()
      await engine.run('encode/1')
      let away = 12
      engine.fault = () => {
        if (away-- > 0) throw new Unavailable('store', 'away')
      }
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await until(async () => {
        engine.clock.advance(1_000)
        await new Promise((resolve) => setImmediate(resolve))
        return engine.meter.outcomes.handled === 2
      }, 'it is handled')
      assert.equal(await state(), 'succeeded')
      assert.deepEqual((await engine.transport.deadLetters.list({ limit: 1 })).letters, [])
    })

    it('brings a cancel again after the pauses that an unknown task asks for', async () => {
      await engine.post('longhaul/cancel-task', { taskId: 'encode/1' }, 'c')
      for (const [i, seconds] of [1, 5, 25, 25, 5].entries()) {
        await until(() => engine.meter.outcomes.retried === i + 1, `try ${i + 1} has failed`)
        let due: Date | undefined
        await until(async () => {
          due = await engine.store.messages.nextDue()
          return due !== undefined
        }, 'it is back in the queue')
        assert.equal(due!.getTime() - engine.clock.now().getTime(), seconds * 1000)
        engine.clock.advance(seconds * 1000)
      }
      await until(() => engine.meter.outcomes.handled === 1, 'it is rejected, and done')
      assert.equal(await engine.messagesLeft(), 0)
    })

    it('hands the log no body, no attribute and no header of a message', async () => {
      const secret = 'hunter2'
      engine.fault = (method) => {
        if (method === 'accept' || method === 'hasApplied') throw new Error('boom')
      }
      const marked = { attributes: { secret }, stickyAttributes: { secret }, correlationId: secret }
      await engine.transport.post('a', { $name: 'media/encode', videoId: secret, secret }, marked)
      await engine.transport.post('b', { $name: 'longhaul/run-task', taskType: 5, secret }, marked)
      await engine.transport.post('c', { $name: EXITED, taskId: 'x', exit: secret }, marked)
      await engine.store.messages.put({
        id: 'd',
        body: new TextEncoder().encode(`{"$name":"constructor","secret":"${secret}"}`),
        headers: { attributes: `{"secret":"${secret}"}` },
      })
      await until(
        () => engine.meter.outcomes.retried === 1 && engine.meter.outcomes.handled === 2,
        'all are through',
      )
      await until(
        async () => (await engine.transport.deadLetters.list({ limit: 1 })).letters.length === 1,
        'the unreadable one is dead-lettered',
      )
      const lines = engine.logger.lines.filter((line) => line.includes(secret))
      assert.deepEqual(lines, [])
      assert.ok(
        engine.logger.lines.some((line) => line.startsWith('bus.says')),
        'bus-core speaks',
      )
    })
  })

  describe('and what handlers wake', () => {
    it('publishes outside of every handler: there it would go into a dead outbox', async () => {
      const contexts: unknown[] = []
      const publish = engine.transport.publish.bind(engine.transport)
      engine.transport.publish = (...args) => {
        contexts.push(messageHandlingContext.get())
        return publish(...args)
      }
      await encode('1')
      await encode('2')
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await until(async () => (await state()) === 'succeeded', 'it has succeeded')
      await until(async () => (await outboxLength(engine)) === 0, 'everything is published')
      assert.equal(contexts.length, 5, 'accepted twice, started, exited, succeeded')
      assert.deepEqual(
        contexts.filter((context) => context !== undefined),
        [],
      )
    })

    it('leaves bus-core’s own publish and send alone', async () => {
      const used: string[] = []
      engine.bus.beforePublish.on(() => void used.push('publish'))
      engine.bus.beforeSend.on(() => void used.push('send'))
      await encode()
      await engine.handled('media/encode', {})
      await engine.handled('longhaul/cancel-task', { taskId: 'encode/1' })
      await engine.handled('longhaul/redrive-task', { taskId: 'encode/1' })
      await engine.run('encode/1')
      await engine.exit('encode/1', { reason: 'completed', code: 0 })
      await until(async () => (await state()) === 'succeeded', 'it has succeeded')
      assert.deepEqual(used, [])
    })
  })
})

describe('the code of the engine', () => {
  const folder = join(import.meta.dirname, '../../src/engine')

  it('publishes in the publisher, and nowhere else', async () => {
    const publishing: string[] = []
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8')
      if (/\.(publish|send|post|returnMessage|failMessage)\(/.test(text)) publishing.push(name)
    }
    assert.deepEqual(publishing, ['publisher.ts'])
  })

  it('knows bus-core in the bus and the workflow, and nowhere else', async () => {
    const knowing: string[] = []
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8')
      if (text.includes("'@node-ts/bus-core'")) knowing.push(name)
    }
    assert.deepEqual(knowing.toSorted(), ['bus.ts', 'workflow.ts'])
  })
})

describe('the signals of the process', () => {
  const listeners = () => [...process.listeners('SIGTERM'), ...process.listeners('SIGINT')]

  it('are not listened to by the bus of the engine', async () => {
    const before = listeners()
    await using _ = await BusHarness.open(ENCODE)
    assert.deepEqual(listeners(), before)
  })

  it('would be by bus-core as it comes, in the field that the engine empties', async () => {
    const clock = new ManualClock()
    const logger = new QuietLogger()
    await using store = await openMemoryStore(clock)
    const configuration = Bus.configure()
      .withTransport(new EmbeddedTransport({ store, clock, logger }))
      .withLogger(() => {
        const line = () => undefined
        return { debug: line, trace: line, info: line, warn: line, error: line, fatal: line }
      })
    assert.deepEqual(Reflect.get(configuration, 'interruptSignals'), ['SIGINT', 'SIGTERM'])
    const before = new Set(listeners())
    const bus = configuration.build()
    try {
      await bus.initialize()
      assert.equal(listeners().filter((listener) => !before.has(listener)).length, 2)
    } finally {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        for (const listener of process.listeners(signal)) {
          if (!before.has(listener)) process.removeListener(signal, listener)
        }
      }
      await bus.dispose()
    }
  })
})

async function outboxLength({ store, clock }: BusHarness): Promise<number> {
  return (await store.tasks.figures(clock.now())).outbox.count
}
