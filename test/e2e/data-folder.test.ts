import assert from 'node:assert/strict'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Installation, waitsFor } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

interface Letter {
  readonly id: string
  readonly messageId: string
  readonly name?: string
  readonly tries: number
  readonly error: { readonly name: string; readonly message: string }
}

describe('the data folder', function () {
  this.timeout(40_000)

  it('that another daemon holds sends the second away at once, and harms the first in nothing', async () => {
    await using daemon = await Installation.make({
      held: { command: waitsFor('gate'), 'x-task': {} },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    const begun = performance.now()
    const { code, said } = await daemon.runToEnd()
    assert.ok(performance.now() - begun < 10_000, 'quickly')
    assert.notEqual(code, 0)
    assert.ok(said.includes(daemon.data), said)
    assert.match(said, /another daemon holds the data folder/)
    assert.equal(daemon.running, true)
    await daemon.touch('gate')
    assert.equal((await daemon.ended('held/1')).outcome?.state, 'succeeded')
  })

  it('with units of another store: it never leads, says why, and goes on when they are back', async () => {
    await using daemon = await Installation.make({
      held: { command: waitsFor('gate'), 'x-task': {} },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    await daemon.end()
    const units = join(daemon.data, 'units')
    await rename(units, `${units}.away`)

    assert.equal(await daemon.start(), 'started')
    const refusal = await daemon.logged(({ msg }) => msg === 'lead.refused', 'it says why')
    assert.ok(String(refusal['reason']).includes(units))
    const ready = await daemon.fetch('/readyz')
    assert.equal(ready.status, 503)
    const { checks } = (await ready.json()) as { checks: { name: string; message: string }[] }
    const lead = checks.find(({ name }) => name === 'lead')
    assert.match(lead?.message ?? '', /not those of this store/)
    assert.equal((await daemon.fetch('/healthz')).status, 200)
    // What it takes on meanwhile waits; what runs elsewhere is not taken for lost.
    await daemon.run('held', '2')
    assert.equal((await daemon.task('held/1')).state, 'running')
    assert.equal(await daemon.end(), 0)
    const since = daemon.lines.length

    await rm(units, { recursive: true })
    await rename(`${units}.away`, units)
    await daemon.touch('gate')
    assert.equal(await daemon.start(), 'started')
    for (const id of ['held/1', 'held/2']) {
      const task = await daemon.ended(id)
      assert.equal(task.outcome?.state, 'succeeded')
      assert.equal(task.attempts.length, 1)
    }
    assert.ok(daemon.log.slice(since).some(({ msg }) => msg === 'lead.taken'))
  })

  it('with messages that nobody could have sent: each becomes a dead letter or a rejection', async () => {
    await using daemon = await Installation.make({
      work: { command: ['true'], 'x-task': { command: 'raw/work', id: '/id' } },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.end()
    const unreadable: Readonly<Record<string, string | Uint8Array>> = {
      'no-json': '{"$name":"raw/work"',
      empty: '',
      null: 'null',
      array: '[]',
      'no-text': Uint8Array.of(0xff, 0xfe, 0x00),
      'no-name': '{"id":"x"}',
      'empty-name': '{"$name":""}',
      'number-name': '{"$name":1}',
      constructor: '{"$name":"constructor"}',
      proto: '{"$name":"__proto__"}',
    }
    putRaw(daemon, unreadable)
    putRaw(daemon, { 'bad-headers': '{"$name":"raw/work","id":"h"}' }, '{no json')
    putRaw(daemon, {
      huge: JSON.stringify({ $name: 'raw/work', id: 'huge', big: 'x'.repeat(10_000_000) }),
      unknown: '{"$name":"raw/unknown"}',
      'no-such-exit': '{"$name":"longhaul/task-exited","taskId":"work/none","attempt":1}',
      'odd-exit': '{"$name":"longhaul/task-exited","taskId":7}',
      good: '{"$name":"raw/work","id":"good"}',
    })

    assert.equal(await daemon.start(), 'started')
    assert.equal((await daemon.ended('work/good')).outcome?.state, 'succeeded')
    const letters = async () =>
      (await daemon.json<{ deadLetters: Letter[] }>('/v1/dead-letters')).deadLetters
    const expected = [...Object.keys(unreadable), 'bad-headers'].toSorted()
    await until(async () => (await letters()).length >= expected.length, 'all are dead letters')
    const found = await letters()
    assert.deepEqual(found.map(({ messageId }) => messageId).toSorted(), expected)
    for (const { error, tries, messageId } of found) {
      assert.equal(error.name, 'UnreadableMessage', messageId)
      assert.notEqual(error.message, '', messageId)
      assert.equal(tries, 1, messageId)
    }
    await using reader = await EventReader.open(daemon, '?after=0&name=longhaul/task-rejected')
    const huge = await reader.find(
      ({ message }) => message['commandId'] === 'huge',
      'huge rejected',
    )
    const [error] = huge.message['errors'] as { code: string }[]
    assert.equal(error?.code, 'input-too-large')
    await daemon.logged(
      (line) => line.msg === 'message.retrying' && line['messageId'] === 'unknown',
      'an unknown name is tried again, and never acknowledged away',
    )

    const [first, second] = found
    assert.ok(first && second)
    const path = `/v1/dead-letters/${first.id}`
    const shown = await daemon.json<{ body: { encoding: string; data: string } }>(path)
    const sent = { ...unreadable, 'bad-headers': '{"$name":"raw/work","id":"h"}' }[first.messageId]
    assert.ok(sent !== undefined)
    const body = Buffer.from(shown.body.data, shown.body.encoding as BufferEncoding)
    assert.deepEqual(body, Buffer.from(sent))
    // As bad as before: it comes back.
    const buried = () => daemon.log.filter((line) => line.msg === 'message.dead-lettered').length
    const before = buried()
    const replayed = await daemon.fetch(`${path}/replay`, undefined, { method: 'POST' })
    assert.equal(replayed.status, 202)
    await until(() => buried() > before, 'it is dead-lettered again')
    for (const { id } of found) {
      const drop = () => daemon.fetch(`/v1/dead-letters/${id}`, undefined, { method: 'DELETE' })
      assert.equal((await drop()).status, 204)
      assert.equal((await drop()).status, 404)
    }
    assert.deepEqual(await letters(), [])
    assert.equal((await daemon.fetch(path)).status, 404)
    assert.equal((await daemon.fetch('/v1/dead-letters/nope/replay', {})).status, 404)
  })

  it('gets a dead letter’s task done when the letter is replayed and its cause is gone', async () => {
    await using daemon = await Installation.make({
      work: { command: ['true'], 'x-task': { command: 'raw/work', id: '/id' } },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.end()
    putRaw(daemon, { mended: '{"$name":"raw/later","id":"1"}' })
    const database = new DatabaseSync(join(daemon.data, 'longhaul.db'))
    const error = JSON.stringify({ name: 'Rejected', message: 'nothing here asks for it' })
    database.prepare('UPDATE messages SET tries = 10, buried_at = 1, error = ?').run(error)
    database.close()
    await daemon.writeType('later', { command: ['true'], 'x-task': { command: 'raw/later' } })
    assert.equal(await daemon.start(), 'started')
    const { deadLetters } = await daemon.json<{ deadLetters: Letter[] }>('/v1/dead-letters')
    const [letter] = deadLetters
    assert.equal(letter?.name, 'raw/later')
    await daemon.fetch(`/v1/dead-letters/${letter.id}/replay`, undefined, { method: 'POST' })
    assert.equal((await daemon.ended('later/mended')).outcome?.state, 'succeeded')
  })
})

/** Puts messages into the store as they are, while no daemon has it. */
function putRaw(
  daemon: Installation,
  messages: Readonly<Record<string, string | Uint8Array>>,
  attributes: string | null = null,
): void {
  const database = new DatabaseSync(join(daemon.data, 'longhaul.db'))
  const insert = database.prepare(
    'INSERT INTO messages (id, due_at, tries, attributes, body) VALUES (?, 0, 0, ?, ?)',
  )
  for (const [id, body] of Object.entries(messages)) insert.run(id, attributes, Buffer.from(body))
  database.close()
}
