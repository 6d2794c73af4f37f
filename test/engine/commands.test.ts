import assert from 'node:assert/strict'
import { Rejected, TryAgain } from '../../src/core/errors.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { checkedType, CommandHarness } from './command-harness.ts'

const SCHEMA = {
  type: 'object',
  required: ['videoId', 'source'],
  properties: {
    videoId: {},
    source: { type: 'string' },
    quality: { enum: ['low', 'high'] },
  },
}
const ENCODE = checkedType('encode', {
  command: 'media/encode',
  id: '/videoId',
  input: SCHEMA,
  deadline: '1h',
  events: { accepted: 'media/accepted', failed: 'media/failed' },
})
/** Without a pointer: the sender or the message gives the id. */
const IMPORT = checkedType('import', { command: 'shop/import' })
const KEYED = checkedType('keyed', {
  command: 'shop/keyed',
  concurrency: { limit: 1, key: '/tenant' },
})
const FAIL = { kind: 'fail', rule: 'r', counted: true } as const

const VIDEO = { videoId: '42', source: 'a' }

describe('a command that asks for a task', () => {
  let engine: CommandHarness
  beforeEach(async () => {
    engine = await CommandHarness.open(ENCODE, IMPORT, KEYED)
  })
  afterEach(async () => {
    await engine[Symbol.asyncDispose]()
  })

  const encode = (body: JsonObject, differs = {}) => engine.send('media/encode', body, differs)

  async function nothingAccepted(): Promise<void> {
    assert.deepEqual(await engine.tasks(), [])
  }

  it('is a task once it has been handled, with its body as the input', async () => {
    await encode(VIDEO)
    const { task } = await engine.find('encode/42')
    assert.deepEqual([task.state, task.input, task.acceptedBy], ['queued', VIDEO, 'message-1'])
    assert.deepEqual(
      (await engine.told()).map(({ name }) => name),
      ['longhaul/task-accepted', 'media/accepted'],
    )
  })

  it('names its task by the message’s own id where nothing else gives one', async () => {
    await engine.send('shop/import', { any: 'thing' })
    await engine.send('longhaul/run-task', { taskType: 'import', input: {} })
    await engine.send('longhaul/run-task', { taskType: 'import', input: {}, id: 7 })
    assert.deepEqual((await engine.tasks()).map(({ task }) => task.id).toSorted(), [
      'import/7',
      'import/message-1',
      'import/message-2',
    ])
  })

  it('is told every way in which its input breaks the schema', async () => {
    await encode({ source: 1, quality: 'best' })
    const pointers = await engine.rejection()
    assert.deepEqual(pointers.toSorted(), [
      ['bad-id', '/videoId'],
      ['schema', ''],
      ['schema', '/quality'],
      ['schema', '/source'],
    ])
    await nothingAccepted()
  })

  it('is told every way in which run-task itself is wrong', async () => {
    for (const [body, pointers] of [
      [{ input: {} }, ['']],
      [{ taskType: 'import', input: [] }, ['/input']],
      [{ taskType: 'import', input: {}, priority: 1001 }, ['/priority']],
      [{ taskType: 'import', input: {}, priority: 1.5 }, ['/priority']],
      [{ taskType: 1, input: null, extra: true }, ['', '/input', '/taskType']],
    ] as const) {
      await engine.send('longhaul/run-task', body)
      const errors = await engine.rejection()
      assert.ok(errors.every(([code]) => code === 'schema'))
      const found = new Set(errors.map(([, pointer]) => pointer.replace('/extra', '')))
      assert.deepEqual([...found].toSorted(), pointers)
    }
    await nothingAccepted()
  })

  it('is rejected where neither it nor its message has an id', async () => {
    await engine.send('shop/import', {}, { messageId: '' })
    assert.deepEqual(await engine.rejection(), [['no-id', '']])
    assert.match(JSON.stringify((await engine.lastMessage())['commandId']), /^"unidentified-/)
    await nothingAccepted()
  })

  it('is rejected with an id that is none', async () => {
    const ids = [{}, null, true, 1.5, 2 ** 53, '', 'x'.repeat(201), 'a\nb', '\u007f', '\ud800']
    for (const videoId of ids) {
      await encode({ videoId: videoId, source: 'a' })
      assert.deepEqual(await engine.rejection(), [['bad-id', '/videoId']], JSON.stringify(videoId))
    }
    for (const id of ['', 'x'.repeat(201), '\u0000']) {
      await engine.send('longhaul/run-task', { taskType: 'import', input: {}, id })
      assert.deepEqual(await engine.rejection(), [['bad-id', '']])
    }
    await nothingAccepted()
    await encode({ videoId: 'x'.repeat(200), source: 'a' })
    await encode({ videoId: 0, source: 'a' })
    assert.equal((await engine.tasks()).length, 2)
  })

  it('is rejected where what its concurrency is counted by is too long', async () => {
    await engine.send('shop/keyed', { tenant: 'ü'.repeat(501) })
    assert.deepEqual(await engine.rejection(), [['key-too-long', '/tenant']])
    await nothingAccepted()
    await engine.send('shop/keyed', { tenant: 'ü'.repeat(500) })
    assert.equal((await engine.tasks()).length, 1)
  })

  it('is rejected where its id differs from the one that the pointer gives', async () => {
    const run = (id: string | number) =>
      engine.send('longhaul/run-task', { taskType: 'encode', input: VIDEO, id })
    await run('43')
    assert.deepEqual(await engine.rejection(), [['id-mismatch', '/videoId']])
    await nothingAccepted()
    await run(42)
    assert.equal((await engine.find('encode/42')).task.state, 'queued')
  })

  it('is rejected with a known id and another input, under its own message id', async () => {
    await encode(VIDEO)
    const before = await engine.find('encode/42')
    await encode(
      { ...VIDEO, source: 'b' },
      { messageId: 'other', correlationId: 'c', stickyAttributes: { workflowId: 'w' } },
    )
    assert.deepEqual(await engine.rejection(), [['id-conflict', '']])
    const event = (await engine.told()).at(-1)!
    assert.equal(event.message['commandId'], 'other')
    assert.ok(!('taskId' in event.message), 'the healthy task’s listeners are not misled')
    assert.deepEqual([event.taskId, event.correlationId], [undefined, 'c'])
    assert.deepEqual(event.stickyAttributes, { workflowId: 'w' })
    assert.deepEqual(await engine.find('encode/42'), before)
  })

  it('tells a conflict from a redelivery also under the accepting message’s own id', async () => {
    await engine.send('media/encode', VIDEO, { messageId: 'one' })
    await engine.send('media/encode', { ...VIDEO, source: 'other' }, { messageId: 'one' })
    assert.deepEqual(await engine.rejection(), [['id-conflict', '']])
  })

  it('takes the same input in another order of members for the same', async () => {
    await encode(VIDEO)
    await encode({ source: 'a', videoId: '42' })
    assert.equal((await engine.lastMessage())['$name'], 'media/accepted')
  })

  it('is told of a conflict also where messages bear no ids', async () => {
    await encode(VIDEO, { messageId: '' })
    await encode({ ...VIDEO, source: 'b' }, { messageId: '' })
    assert.deepEqual(await engine.rejection(), [['id-conflict', '']])
  })

  it('is rejected when its input is larger than the configuration allows', async () => {
    engine.inputLimitBytes = 1000
    await encode({ ...VIDEO, source: 'x'.repeat(1000) })
    assert.deepEqual(await engine.rejection(), [['input-too-large', '']])
    assert.match(JSON.stringify(await engine.lastMessage()), /at most 1000 .*limits\.input/)
    await nothingAccepted()
  })

  it('is rejected when its input fits into no environment string, whatever the limit', async () => {
    engine.inputLimitBytes = 10_000_000
    const bare = Buffer.byteLength(JSON.stringify({ ...VIDEO, source: '' }))
    const fits = 131_072 - 'LONGHAUL_INPUT='.length - 1 - bare
    await encode({ ...VIDEO, source: 'x'.repeat(fits + 1) })
    assert.deepEqual(await engine.rejection(), [['input-too-large', '']])
    assert.match(JSON.stringify(await engine.lastMessage()), /128 KiB/)
    await nothingAccepted()
    await encode({ ...VIDEO, source: 'x'.repeat(fits) })
    assert.equal((await engine.tasks()).length, 1)
  })

  it('counts the input in bytes, not in characters', async () => {
    engine.inputLimitBytes = 1000
    await encode({ ...VIDEO, source: '☃'.repeat(400) })
    assert.deepEqual(await engine.rejection(), [['input-too-large', '']])
  })

  it('carries priority and delay in its attributes', async () => {
    const notBefore = new Date(engine.clock.now().getTime() + 60_000)
    const attributes = {
      'longhaul-priority': '7',
      'longhaul-not-before': notBefore.toISOString(),
    }
    await encode(VIDEO, { attributes })
    const { task } = await engine.find('encode/42')
    assert.deepEqual([task.priority, task.notBefore, task.dueAt], [7, notBefore, notBefore])
    assert.deepEqual(task.deadlineAt, new Date(notBefore.getTime() + 3_600_000))
    await encode({ ...VIDEO, videoId: '43' }, { attributes: { 'longhaul-priority': -5 } })
    assert.equal((await engine.find('encode/43')).task.priority, -5)
  })

  it('carries priority and delay in run-task’s body', async () => {
    const notBefore = new Date(engine.clock.now().getTime() + 60_000)
    await engine.send('longhaul/run-task', {
      taskType: 'import',
      id: '1',
      input: {},
      priority: 9,
      notBefore: notBefore.toISOString(),
    })
    const { task } = await engine.find('import/1')
    assert.deepEqual([task.priority, task.dueAt], [9, notBefore])
  })

  it('is rejected with a priority that is none', async () => {
    for (const priority of ['high', '', ' ', '1.5', 1.5, true, 1001, '-1001']) {
      await encode(VIDEO, { attributes: { 'longhaul-priority': priority } })
      const codes = (await engine.rejection()).map(([code]) => code)
      assert.deepEqual(codes, ['bad-priority'], JSON.stringify(priority))
    }
    await nothingAccepted()
  })

  it('is rejected with a time that is none', async () => {
    for (const time of ['tomorrow', '', 5, true, '2030-13-01T00:00:00Z', '1', 'May 1 2030']) {
      await encode(VIDEO, { attributes: { 'longhaul-not-before': time } })
      assert.deepEqual(
        await engine.rejection(),
        [['bad-time', 'longhaul-not-before']],
        JSON.stringify(time),
      )
    }
    await nothingAccepted()
    for (const notBefore of ['tomorrow', '2030-01-32T00:00:00Z', '1']) {
      await engine.send('longhaul/run-task', { taskType: 'import', input: {}, notBefore })
      const [[code, pointer] = []] = await engine.rejection()
      assert.ok(code === 'bad-time' || code === 'schema', code)
      assert.equal(pointer, '/notBefore')
    }
    await nothingAccepted()
  })

  it('is never acknowledged away where its type is not known here, and told so on the last try', async () => {
    for (const [name, body] of [
      ['media/unknown', {}],
      ['longhaul/run-task', { taskType: 'unknown', input: {} }],
    ] as const) {
      const before = (await engine.told()).length
      for (let tries = 0; tries < 9; tries += 1) {
        await assert.rejects(engine.send(name, body, { messageId: name, tries }), Rejected)
      }
      assert.equal((await engine.told()).length, before)
      await assert.rejects(engine.send(name, body, { messageId: name, tries: 9 }), Rejected)
      assert.deepEqual(await engine.rejection(), [['unknown-task-type', '']])
      assert.equal((await engine.lastMessage())['commandId'], name)
    }
    await nothingAccepted()
  })

  it('adds nothing when the accepting message is delivered again', async () => {
    await encode(VIDEO, { messageId: 'm' })
    const before = await engine.told()
    await encode(VIDEO, { messageId: 'm', tries: 1 })
    assert.deepEqual(await engine.told(), before)
    assert.equal((await engine.tasks()).length, 1)
  })

  it('is rejected once, however often it is delivered', async () => {
    await encode({}, { messageId: 'm' })
    await encode({}, { messageId: 'm' })
    assert.equal((await engine.told()).length, 1)
  })
})

describe('a repeated command', () => {
  const REPEAT = {
    messageId: 'repeat',
    correlationId: 'its own',
    attributes: { reply: 'to me' },
    stickyAttributes: { workflowId: 'w' },
  }

  it('is answered that its task is accepted, with its own marks and a stable id', async () => {
    await using engine = await CommandHarness.open(ENCODE)
    await engine.send('media/encode', VIDEO, { correlationId: 'the first', messageId: 'first' })
    const original = (await engine.told())[0]!
    await engine.send('media/encode', VIDEO, REPEAT)
    const [answer, own] = (await engine.told()).slice(2)
    assert.equal(answer?.name, 'longhaul/task-accepted')
    assert.equal(own?.name, 'media/accepted')
    assert.equal(answer.correlationId, 'its own')
    assert.deepEqual(answer.attributes, REPEAT.attributes)
    assert.deepEqual(answer.stickyAttributes, REPEAT.stickyAttributes)
    assert.equal(answer.message['repeatOf'], original.eventId)
    assert.equal(answer.message['eventId'], answer.eventId)
    assert.notEqual(answer.eventId, original.eventId)
    await engine.send('media/encode', VIDEO, REPEAT)
    assert.equal((await engine.told()).length, 4, 'a repeat delivered again is answered once')
    await engine.send('media/encode', VIDEO, { messageId: 'another' })
    const other = (await engine.told())[4]!
    assert.notEqual(other.eventId, answer.eventId)
    assert.equal((await engine.tasks()).length, 1)
  })

  it('gets an id that is the same in another process', async () => {
    const ids: string[] = []
    for (let round = 0; round < 2; round += 1) {
      await using engine = await CommandHarness.open(ENCODE)
      await engine.send('media/encode', VIDEO, { messageId: 'first' })
      await engine.send('media/encode', VIDEO, REPEAT)
      ids.push((await engine.told()).at(-1)!.eventId)
    }
    assert.equal(ids[0], ids[1])
  })

  it('is answered with the outcome once there is one', async () => {
    await using engine = await CommandHarness.open(ENCODE)
    await engine.send('media/encode', VIDEO)
    await engine.end('encode/42', FAIL)
    const [outcome] = (await engine.told()).filter(({ name }) => name === 'longhaul/task-failed')
    await engine.send('media/encode', VIDEO, REPEAT)
    const [answer, own] = (await engine.told()).slice(-2)
    assert.deepEqual([answer?.name, own?.name], ['longhaul/task-failed', 'media/failed'])
    const { eventId: _, repeatOf, ...said } = answer!.message
    const { eventId: original, ...first } = outcome!.message
    assert.deepEqual(said, first, 'it tells the whole story again')
    assert.equal(repeatOf, original)
    assert.equal(answer?.correlationId, 'its own')
    assert.equal((await engine.find('encode/42')).task.state, 'failed')
  })
})

describe('a command about a task', () => {
  let engine: CommandHarness
  beforeEach(async () => {
    engine = await CommandHarness.open(ENCODE)
    await engine.send('media/encode', VIDEO)
  })
  afterEach(async () => {
    await engine[Symbol.asyncDispose]()
  })

  const TASK = { taskId: 'encode/42' }
  const cancel = (body: JsonObject = {}, differs = {}) =>
    engine.send('longhaul/cancel-task', { ...TASK, ...body }, differs)
  const redrive = (body: JsonObject = {}, differs = {}) =>
    engine.send('longhaul/redrive-task', { ...TASK, ...body }, differs)
  const present = async () => {
    const { task } = await engine.find('encode/42')
    return [task.state, task.run] as const
  }

  it('cancels and redrives', async () => {
    await cancel({ reason: 'why', by: 'me' })
    assert.deepEqual(await present(), ['cancelled', 1])
    const { outcome } = (await engine.find('encode/42')).task
    assert.ok(outcome?.state === 'cancelled')
    assert.deepEqual([outcome.by, outcome.reason], ['me', 'why'])
    await redrive()
    assert.deepEqual(await present(), ['queued', 2])
  })

  it('has its effect once, however often it is delivered', async () => {
    await cancel({}, { messageId: 'c' })
    await redrive({}, { messageId: 'r' })
    const before = await engine.told()
    await cancel({}, { messageId: 'c' })
    await redrive({}, { messageId: 'r' })
    assert.deepEqual(await present(), ['queued', 2])
    await engine.end('encode/42', FAIL)
    const after = (await engine.told()).length
    await redrive({}, { messageId: 'r' })
    assert.deepEqual(await present(), ['failed', 2])
    assert.equal((await engine.told()).length, after, 'it is not refused either')
    assert.ok(after > before.length)
    await redrive({}, { messageId: 'another' })
    assert.deepEqual(await present(), ['queued', 3])
  })

  it('is not refused when it is delivered again after its own effect', async () => {
    await engine.start('encode/42')
    await cancel({}, { messageId: 'c' })
    const before = await engine.told()
    await cancel({}, { messageId: 'c' })
    await cancel({}, { messageId: 'another' })
    assert.deepEqual(await engine.told(), before)
    assert.ok((await engine.find('encode/42')).task.cancelRequested)
  })

  it('is refused for another run than the one that it names', async () => {
    await cancel({ run: 2 })
    assert.deepEqual(await engine.rejection(), [['other-run', '']])
    assert.deepEqual(await present(), ['queued', 1])
    await cancel({ run: 1 })
    await redrive({ run: 2 })
    assert.deepEqual(await engine.rejection(), [['other-run', '']])
    assert.deepEqual(await present(), ['cancelled', 1])
    await redrive({ run: 1 })
    await cancel({ run: 1 })
    assert.deepEqual(await engine.rejection(), [['other-run', '']])
    assert.equal((await engine.lastMessage())['run'], 2, 'it is told the present one')
    assert.deepEqual(await present(), ['queued', 2])
  })

  it('is refused where the state does not allow it', async () => {
    await redrive()
    assert.deepEqual(await engine.rejection(), [['live', '']])
    await engine.end('encode/42', { kind: 'succeed', rule: 'r' })
    await cancel()
    assert.deepEqual(await engine.rejection(), [['ended', '']])
    await redrive()
    assert.deepEqual(await engine.rejection(), [['live', '']])
    assert.deepEqual(await present(), ['succeeded', 1])
  })

  it('does not redrive what the present task type does not take any more', async () => {
    await engine.end('encode/42', FAIL)
    engine.types = []
    await redrive()
    assert.deepEqual(await engine.rejection(), [['type-gone', '']])
    const stricter = { ...SCHEMA, required: ['videoId', 'source', 'quality'] }
    engine.types = [checkedType('encode', { id: '/videoId', input: stricter })]
    await redrive()
    assert.deepEqual(await engine.rejection(), [['input-misfits', '']])
    assert.deepEqual(await present(), ['failed', 1])
    engine.types = [checkedType('encode', { id: '/videoId', retry: { max_attempts: 9 } })]
    await redrive()
    assert.deepEqual(await present(), ['queued', 2])
    const { definition } = (await engine.find('encode/42')).task
    assert.equal(definition, engine.types[0]!.type.hash)
    assert.ok(await engine.store.tasks.definition(definition), 'it is stored')
  })

  it('is retried for a minute where its task is not known, then rejected', async () => {
    for (const name of ['longhaul/cancel-task', 'longhaul/redrive-task']) {
      const before = (await engine.told()).length
      let waited = 0
      let tries = 0
      for (; ; tries += 1) {
        try {
          await engine.send(name, { taskId: 'encode/43', run: 3 }, { messageId: name, tries })
          break
        } catch (error) {
          assert.ok(error instanceof TryAgain)
          assert.equal((await engine.told()).length, before, 'nothing is told meanwhile')
          waited += error.pauseMs
        }
      }
      assert.ok(waited >= 60_000 && waited < 75_000, `${waited}`)
      assert.ok(tries < 9, 'before the transport gives it up')
      assert.deepEqual(await engine.rejection(), [['unknown-task', '/taskId']])
      assert.equal((await engine.lastMessage())['run'], 3)
    }
  })

  it('has its effect when the command that it overtook comes within that minute', async () => {
    const late = { taskId: 'encode/43' }
    await assert.rejects(engine.send('longhaul/cancel-task', late, { messageId: 'c' }), TryAgain)
    await engine.send('media/encode', { ...VIDEO, videoId: '43' })
    await engine.send('longhaul/cancel-task', late, { messageId: 'c', tries: 1 })
    assert.equal((await engine.find('encode/43')).task.state, 'cancelled')
  })

  it('is told every way in which it is wrong', async () => {
    await engine.send('longhaul/cancel-task', { reason: 5, by: 'x'.repeat(201), run: 0 })
    const errors = await engine.rejection()
    assert.deepEqual([...new Set(errors.map(([, pointer]) => pointer))].toSorted(), [
      '',
      '/by',
      '/reason',
      '/run',
    ])
    await engine.send('longhaul/redrive-task', { taskId: 'encode/42', force: true })
    assert.equal((await engine.rejection())[0]?.[0], 'schema')
    assert.deepEqual(await present(), ['queued', 1])
  })
})
