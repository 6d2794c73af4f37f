import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { Installation, waitsFor } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

const other = { command: ['true'], 'x-task': {} }
const held = { held: { command: waitsFor('gate'), 'x-task': { command: 'life/held' } } }

describe('the life of a daemon', function () {
  this.timeout(30_000)

  it('ends with 0 at SIGTERM and leaves its tasks running, whose end the next daemon finds', async () => {
    await using daemon = await Installation.make({
      ...held,
      bad: { command: waitsFor('gate', 3), 'x-task': { retry: { max_attempts: 1 } } },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', '1')
    await daemon.run('bad', '1')
    for (const id of ['held/1', 'bad/1']) await daemon.inState(id, 'running')
    const begun = performance.now()
    assert.equal(await daemon.end('SIGTERM'), 0)
    assert.ok(performance.now() - begun < 10_000)
    assert.equal((await daemon.groups()).length, 2, 'they go on')

    await daemon.touch('gate')
    await until(async () => (await daemon.groups()).length === 0, 'they end with no daemon there')
    const endedBefore = Date.now()
    assert.equal(await daemon.start(), 'started')
    const good = await daemon.ended('held/1')
    const bad = await daemon.ended('bad/1')
    assert.equal(good.outcome?.exit?.reason, 'completed')
    assert.equal(good.attempts[0]?.exit?.logTail, 'waiting\ndone with gate\n')
    assert.equal(bad.outcome?.state, 'failed')
    assert.equal(bad.outcome.exit?.code, 3)
    for (const { attempts } of [good, bad]) {
      assert.equal(attempts.length, 1)
      assert.ok(
        Date.parse(attempts[0]?.exit?.at ?? '') <= endedBefore,
        'when it ended, not when seen',
      )
    }
  })

  it('ends with 0 at SIGTERM while a stream of events and one of output are open', async () => {
    await using daemon = await Installation.make(held)
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    await using reader = await EventReader.open(daemon)
    const output = await daemon.fetch('/v1/tasks/held/1/attempts/1/logs?follow=true')
    // Broken off, so that nobody takes it for whole.
    const broken = assert.rejects(output.text())
    const begun = performance.now()
    assert.equal(await daemon.end('SIGTERM'), 0)
    assert.ok(performance.now() - begun < 10_000)
    await until(() => reader.over, 'the stream of events has ended')
    await broken
  })

  it('exits at once at a second signal', async () => {
    await using daemon = await Installation.make(held)
    assert.equal(await daemon.start(), 'started')
    const ended = daemon.end('SIGTERM')
    daemon.signal('SIGINT')
    // Which of two pending signals is delivered first is the kernel's choice.
    assert.ok([130, 143].includes(await ended))
  })

  it('ends with 0 where SIGTERM comes while it starts, and the next one starts', async () => {
    await using daemon = await Installation.make(held)
    const starting = daemon.start()
    await daemon.logged(({ msg }) => msg === 'store.migrated', 'it has begun to start')
    daemon.signal('SIGTERM')
    assert.ok(['started', 0].includes(await starting))
    assert.equal(await daemon.exited(), 0)
    assert.equal(await daemon.start(), 'started')
    await daemon.touch('gate')
    await daemon.run('held', '1')
    assert.equal((await daemon.ended('held/1')).outcome?.state, 'succeeded')
  })

  it('exits with an error that names the address where the port is taken', async () => {
    await using daemon = await Installation.make(held)
    assert.equal(await daemon.start(), 'started')
    const listen = `127.0.0.1:${daemon.port}`
    await using other = await Installation.make(held, { http: { listen } })
    const { code, said } = await other.runToEnd()
    assert.equal(code, 1)
    assert.match(said, new RegExp(`cannot listen on ${listen}: .*EADDRINUSE`))
    assert.equal((await daemon.fetch('/healthz')).status, 200)
  })

  it('exits with 78 and names every mistake of its file, each at its place', async () => {
    await using daemon = await Installation.make(held)
    const file = 'data: 5\nbuss: {}\nhttp: { listen: nowhere }\nscheduler: { kind: slurm }\n'
    await writeFile(daemon.config, file)
    const { code, said } = await daemon.runToEnd()
    assert.equal(code, 78)
    const lines = said.trim().split('\n')
    const places = lines.map((line) => /longhaul\.yml:(\d+):\d+: ./.exec(line)?.[1])
    assert.deepEqual(places, ['1', '2', '3', '4'], said)
    assert.match(said, /`buss`: did you mean `bus`/)
  })

  it('exits with 78 and names every mistake of every task type', async () => {
    await using daemon = await Installation.make({
      one: { comand: ['true'], 'x-task': { deadline: 'soon' } },
      two: { command: ['true'], restart: 'always', 'x-task': { command: 'longhaul/mine' } },
      three: { command: ['true'], 'x-task': { command: 'life/same' } },
      four: { command: ['true'], 'x-task': { command: 'life/same' } },
    })
    const { code, said } = await daemon.runToEnd()
    assert.equal(code, 78)
    for (const mistake of [
      /one\.yml:3:5: .*`comand`: did you mean `command`/,
      /one\.yml:\d+:\d+: .*"soon"/,
      /two\.yml:\d+:\d+: .*`restart`/,
      /two\.yml:\d+:\d+: .*longhaul\//,
      /(three|four)\.yml:\d+:\d+: .*life\/same.*(three|four)\.yml/,
    ]) {
      assert.match(said, mistake)
    }
  })

  it('exits with 78 where its file is not there or no YAML', async () => {
    await using daemon = await Installation.make(held)
    await writeFile(daemon.config, 'data: [\n')
    const broken = await daemon.runToEnd()
    assert.equal(broken.code, 78)
    assert.match(broken.said, /longhaul\.yml:2:1: /)
    await writeFile(daemon.config, `data: ../data\nhttp: { token_file: ./none }\n`)
    const token = await daemon.runToEnd()
    assert.equal(token.code, 78)
    assert.match(token.said, /none/)
  })

  it('takes changed task types up at SIGHUP, and keeps the last good ones', async () => {
    await using daemon = await Installation.make(held)
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', 'old')
    await daemon.inState('held/old', 'running')
    const fresh = { command: ['true'], 'x-task': { command: 'life/fresh', id: '/id' } }
    const message = (id: string) => ({ $name: 'life/fresh', id })
    assert.equal((await daemon.fetch('/v1/messages', { message: message('0') })).status, 422)

    await daemon.writeType('fresh', fresh)
    daemon.signal('SIGHUP')
    await daemon.logged(({ msg }) => msg === 'task-types.changed', 'the new type is there')
    await daemon.send(message('1'))
    assert.equal((await daemon.ended('fresh/1')).outcome?.state, 'succeeded')

    await daemon.writeType('fresh', { ...fresh, comand: 1 })
    daemon.signal('SIGHUP')
    const kept = await daemon.logged(({ msg }) => msg === 'task-types.kept', 'it says so loudly')
    assert.equal(kept.level, 'error')
    assert.match(String(kept['error']), /fresh\.yml:\d+:\d+: .*`comand`/)
    await daemon.send(message('2'))
    assert.equal((await daemon.ended('fresh/2')).outcome?.state, 'succeeded')

    // An edit never touches what was accepted.
    const lines = daemon.log.length
    await daemon.writeType('fresh', fresh)
    await daemon.writeType('held', { command: ['false'], 'x-task': { command: 'life/other' } })
    daemon.signal('SIGHUP')
    const changed = await daemon.logged(
      ({ msg, changes }) =>
        msg === 'task-types.changed' && JSON.stringify(changes).includes('~held'),
      'the other program is taken up',
      { from: lines },
    )
    assert.deepEqual(changed['changes'], ['~held'])
    await daemon.touch('gate')
    assert.equal((await daemon.ended('held/old')).outcome?.state, 'succeeded')
  })

  it('notices a changed file by itself, and goes on with tasks of a type that is removed', async () => {
    await using daemon = await Installation.make({ ...held, other })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    await daemon.run('held', 'later', { notBefore: new Date(Date.now() + 2_000).toISOString() })
    await daemon.removeType('held')
    await daemon.logged(({ msg }) => msg === 'task-types.changed', 'the removal is noticed')
    assert.equal((await daemon.fetch('/v1/tasks', { type: 'held', input: {} })).status, 404)
    await daemon.touch('gate')
    assert.equal((await daemon.ended('held/1')).outcome?.state, 'succeeded')
    assert.equal((await daemon.ended('held/later')).outcome?.state, 'succeeded')
  })

  it('handles a command that came before its task type once the type is there', async () => {
    await using daemon = await Installation.make(held)
    assert.equal(await daemon.start(), 'started')
    await daemon.send({ $name: 'longhaul/run-task', taskType: 'coming', id: '1', input: {} })
    await daemon.logged(({ msg }) => msg === 'message.retrying', 'it is kept')
    await daemon.writeType('coming', { command: ['true'], 'x-task': {} })
    daemon.signal('SIGHUP')
    assert.equal((await daemon.ended('coming/1')).outcome?.state, 'succeeded')
  })
})
