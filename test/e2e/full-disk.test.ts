import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Installation, shell, waitsFor } from '../support/daemon.ts'
import { EventReader } from './event-reader.ts'
import { SmallDisk } from './small-disk.ts'

describe('a full disk', function () {
  this.timeout(40_000)

  it('under the units: nothing starts, nothing is lost, and it goes on when there is room', async function () {
    await using disk = await SmallDisk.mount(this, 512)
    await using daemon = await Installation.make({
      work: { command: shell('echo worked'), 'x-task': { retry: { max_attempts: 1 } } },
    })
    await mkdir(join(disk.path, 'units'))
    await mkdir(daemon.data, { recursive: true, mode: 0o700 })
    await symlink(join(disk.path, 'units'), join(daemon.data, 'units'))
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
    disk.fill()
    for (const id of ['1', '2', '3']) await daemon.run('work', id)
    await daemon.logged(({ error }) => String(error).includes('ENOSPC'), 'ENOSPC is logged')
    for (const id of ['1', '2', '3']) await daemon.inState(`work/${id}`, 'starting')
    assert.equal((await daemon.fetch('/readyz')).status, 503)
    disk.makeRoom()
    for (const id of ['1', '2', '3']) {
      const task = await daemon.ended(`work/${id}`)
      assert.equal(task.outcome?.state, 'succeeded')
      assert.equal(task.attempts.length, 1, 'a start that failed is no attempt more')
    }
  })

  it('under a log: what the program makes of it is its own affair, and its end is recorded', async function () {
    await using disk = await SmallDisk.mount(this, 512)
    await using daemon = await Installation.make({
      loud: {
        command: shell('echo begin; head -c 2000000 /dev/zero; [ $? -ne 0 ] && exit 7'),
        'x-task': { retry: { max_attempts: 1 }, keep: { failed_unit: '0s' } },
      },
      quiet: { command: ['true'], 'x-task': {} },
    })
    await mkdir(join(disk.path, 'units'))
    await mkdir(daemon.data, { recursive: true, mode: 0o700 })
    await symlink(join(disk.path, 'units'), join(daemon.data, 'units'))
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
    await daemon.run('loud', '1')
    const task = await daemon.ended('loud/1')
    assert.equal(task.outcome?.state, 'failed')
    assert.equal(task.outcome.exit?.code, 7)
    await daemon.run('quiet', '1')
    assert.equal((await daemon.ended('quiet/1')).outcome?.state, 'succeeded')
  })

  it('under the database: what was acknowledged is done, what was not is not there', async function () {
    // Room for the 4 MB that SQLite's write-ahead log grows to before its place is used again.
    await using disk = await SmallDisk.mount(this, 12_288)
    await using daemon = await Installation.make({}, { data: join(disk.path, 'data') })
    const gate = join(daemon.folder, 'gate')
    await daemon.writeType('held', { command: waitsFor(gate), 'x-task': { command: 'disk/held' } })
    await daemon.writeType('work', { command: ['true'], 'x-task': { command: 'disk/work' } })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    disk.fill(400)

    const acknowledged: string[] = []
    const refused: string[] = []
    const padding = 'x'.repeat(30_000)
    /** Sends until three were refused. */
    async function untilFull(letter: string, send: (id: string) => Promise<Response>) {
      const end = refused.length + 3
      for (let n = 0; refused.length < end; n += 1) {
        assert.ok(n < 100, 'the disk is never full')
        const { status } = await send(`${letter}${n}`)
        if (status < 300) acknowledged.push(`work/${letter}${n}`)
        else {
          assert.equal(status, 503)
          refused.push(`work/${letter}${n}`)
          disk.fill()
        }
      }
    }
    await untilFull('t', (id) =>
      daemon.fetch('/v1/tasks', { type: 'work', id, input: { padding } }),
    )
    assert.notEqual(acknowledged.length, 0)
    await untilFull('m', (id) =>
      daemon.fetch('/v1/messages', { message: { $name: 'disk/work', padding }, id }),
    )
    assert.equal((await daemon.fetch('/healthz')).status, 200)
    assert.equal((await daemon.fetch('/readyz')).status, 503)

    // Ends while nothing can be written down.
    await daemon.touch('gate')
    await daemon.logged(({ error }) => String(error).includes('disk is full'), 'it is said')
    assert.notEqual((await daemon.task('held/1')).state, 'succeeded')
    disk.makeRoom()

    assert.equal((await daemon.ended('held/1', 30_000)).outcome?.state, 'succeeded')
    for (const id of acknowledged) {
      const task = await daemon.ended(id, 30_000)
      assert.equal(task.outcome?.state, 'succeeded')
      assert.equal(task.attempts.length, 1)
    }
    for (const id of refused) assert.equal((await daemon.fetch(`/v1/tasks/${id}`)).status, 404)
    await daemon.run('work', 'afterwards')
    await daemon.ended('work/afterwards')
    await using reader = await EventReader.open(daemon, '?after=0&name=longhaul/task-succeeded')
    await reader.find(({ message: { taskId } }) => taskId === 'work/afterwards', 'the last event')
    const told = reader.events.map(({ message: { taskId } }) => taskId ?? '')
    assert.deepEqual(told.toSorted(), [...acknowledged, 'held/1', 'work/afterwards'].toSorted())
    assert.equal(await daemon.end(), 0)
  })
})
