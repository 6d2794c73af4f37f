import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Installation, shell, waitsFor } from '../support/daemon.ts'
import { EventReader } from './event-reader.ts'

describe('the queue', function () {
  this.timeout(30_000)
  let daemon: Installation

  before(async () => {
    daemon = await Installation.make({
      keyed: {
        command: [...waitsFor('').slice(0, 2)],
        'x-task': { arguments: [{ from: '/gate' }], concurrency: { limit: 1, key: '/tenant' } },
      },
      one: {
        command: shell(
          'until [ -e "../../../../$GATE" ]; do sleep 0.02; done; echo "$NAME" >>../../../../order',
        ),
        'x-task': {
          environment: { GATE: '/gate', NAME: '/name' },
          concurrency: { limit: 1 },
        },
      },
      quick: { command: ['true'], 'x-task': { command: 'queue/quick' } },
    })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
  })

  after(() => daemon[Symbol.asyncDispose]())

  it('starts as many of a key as its limit says, and one blocked key blocks no other', async () => {
    const ask = (id: string, tenant: string, gate: string) =>
      daemon.run('keyed', id, { input: { tenant, gate } })
    await ask('a1', 'a', 'gate-a1')
    await ask('a2', 'a', 'gate-a2')
    await ask('b1', 'b', 'gate-b1')
    await daemon.inState('keyed/a1', 'running')
    await daemon.inState('keyed/b1', 'running')
    // Handed in later and started: the dispatcher has passed by the one that waits.
    await ask('c1', 'c', 'gate-b1')
    await daemon.inState('keyed/c1', 'running')
    assert.equal((await daemon.task('keyed/a2')).state, 'queued')
    await daemon.touch('gate-a1')
    await daemon.inState('keyed/a2', 'running')
    for (const gate of ['gate-a2', 'gate-b1']) await daemon.touch(gate)
    for (const id of ['a1', 'a2', 'b1', 'c1']) {
      assert.equal((await daemon.ended(`keyed/${id}`)).outcome?.state, 'succeeded')
    }
  })

  it('starts by priority, then by age', async () => {
    const gate = 'gate-order'
    const ask = (name: string, priority = 0) =>
      daemon.run('one', name, { input: { gate, name }, priority })
    await ask('first')
    await daemon.inState('one/first', 'running')
    await ask('low', -1)
    await ask('normal')
    await ask('high', 5)
    await ask('normal-too')
    await daemon.touch(gate)
    for (const id of ['first', 'low', 'normal', 'high', 'normal-too'])
      await daemon.ended(`one/${id}`)
    const order = readFileSync(join(daemon.folder, 'order'), 'utf8').trim().split('\n')
    assert.deepEqual(order, ['first', 'high', 'normal', 'normal-too', 'low'])
  })

  it('starts nothing before its notBefore, whichever way it came', async () => {
    const at = new Date(Date.now() + 1_000).toISOString()
    const accepted = await daemon.run('quick', 'later', { notBefore: at })
    assert.equal(accepted.dueAt, at)
    const attributes = { 'longhaul-not-before': at, 'longhaul-priority': 7 }
    const id = await daemon.send({ $name: 'queue/quick' }, { id: randomUUID(), attributes })
    for (const taskId of ['quick/later', `quick/${id}`]) {
      const { attempts, outcome } = await daemon.ended(taskId)
      assert.equal(outcome?.state, 'succeeded')
      assert.ok((attempts[0]?.startedAt ?? '') >= at, taskId)
    }
    assert.equal((await daemon.task(`quick/${id}`)).priority, 7)
  })

  it('answers a repeated command with what became of its task, and starts nothing', async () => {
    await using reader = await EventReader.open(daemon)
    const message = { $name: 'longhaul/run-task', taskType: 'quick', id: 'twice', input: { n: 1 } }
    await daemon.send(message, { id: 'm-1', correlationId: 'one', stickyAttributes: { s: 1 } })
    await daemon.ended('quick/twice')
    const original = await reader.named('longhaul/task-succeeded')
    // The very message again adds nothing; a second one is answered under its own marks.
    await daemon.send(message, { id: 'm-1', correlationId: 'one', stickyAttributes: { s: 1 } })
    const again = { ...message, input: { n: 1 } }
    await daemon.send(again, { id: 'm-2', correlationId: 'two', stickyAttributes: { s: 2 } })
    const answer = await reader.find(
      ({ message: { repeatOf } }) => repeatOf !== undefined,
      'answer',
    )
    assert.equal(answer.name, 'longhaul/task-succeeded')
    assert.equal(answer.message['repeatOf'], original.message.eventId)
    assert.notEqual(answer.message.eventId, original.message.eventId)
    assert.equal(answer.correlationId, 'two')
    assert.deepEqual(answer.stickyAttributes, { s: 2 })
    assert.equal(original.correlationId, 'one')
    assert.equal(
      (await daemon.fetch('/v1/tasks', { type: 'quick', id: 'twice', input: { n: 1 } })).status,
      200,
    )
    assert.equal((await daemon.task('quick/twice')).attempts.length, 1)
    assert.equal(reader.names.filter((name) => name === 'longhaul/task-succeeded').length, 2)
    assert.equal(reader.names.filter((name) => name === 'longhaul/task-accepted').length, 1)
  })

  it('takes Idempotency-Key for the id where nothing else gives one', async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k/1?' }
    const ask = () =>
      daemon.fetch('/v1/tasks', undefined, {
        method: 'POST',
        headers,
        body: JSON.stringify({ type: 'quick', input: {} }),
      })
    const [first, second] = [await ask(), await ask()]
    assert.deepEqual([first.status, second.status], [201, 200])
    const location = first.headers.get('location') ?? ''
    assert.equal(location, '/v1/tasks/quick/k%2F1%3F')
    assert.equal((await daemon.json<{ id: string }>(location)).id, 'quick/k/1?')
    await daemon.ended('quick/k%2F1%3F')
  })
})
