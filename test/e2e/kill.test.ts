import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import {
  allEnded,
  assertAllHeardInOrder,
  assertNothingLostOrDoubled,
  linesOf,
  logOf,
} from '../support/account.ts'
import { Installation } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { workType } from '../support/work.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 25)
const TASKS_A_ROUND = 12
const PROGRAMS = join(import.meta.dirname, '../fixtures/programs')

function run(program: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(PROGRAMS, program), ...args], { stdio: 'inherit' })
}

describe('a daemon that is killed again and again', function () {
  this.timeout(60_000 + ROUNDS * 4_000)

  it('loses no command, starts no attempt twice, and tells everything exactly once', async () => {
    await using installation = await Installation.make({})
    const { folder, url } = installation
    const files = { ran: join(folder, 'ran'), sent: join(folder, 'sent'), got: join(folder, 'got') }
    await installation.writeType('work', workType(files.ran))
    const count = ROUNDS * TASKS_A_ROUND
    const sender = run('sender.ts', url, files.sent, String(count), '20')
    const subscriber = run('subscriber.ts', url, files.got)
    const sent = once(sender, 'exit')
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        assert.equal(await installation.start(), 'started', installation.lines.slice(-5).join('\n'))
        await pause(20 + Math.random() * 600)
        await installation.end('SIGKILL')
      }
      assert.equal(await installation.start(), 'started')
      const [code] = (await sent) as [number]
      assert.equal(code, 0, 'the sender was refused')
      const tasks = await allEnded(installation, 60_000)
      const acknowledged = linesOf(files.sent)
      assert.equal(acknowledged.length, count)
      const events = await logOf(installation, tasks.length)
      assertNothingLostOrDoubled({ acknowledged, tasks, events, ran: linesOf(files.ran) })
      const keys = new Set(events.map(({ eventId, name }) => `${eventId} ${name}`))
      await until(() => new Set(linesOf(files.got)).size >= keys.size, 'the subscriber has all')
      const names = [...new Set(events.map(({ name }) => name))]
      assertAllHeardInOrder(events, names, linesOf(files.got))
      const letters = await installation.json<{ deadLetters?: unknown[] }>('/v1/dead-letters')
      assert.deepEqual(Object.values(letters)[0], [], 'there are dead letters')
      await until(
        () => readdirSync(join(folder, 'data', 'units')).every((name) => name.startsWith('.')),
        'no unit is left over',
      )
      assert.equal(await installation.end(), 0)
      const database = new DatabaseSync(join(folder, 'data', 'longhaul.db'))
      const left = (sql: string) => Object.values(database.prepare(sql).get() ?? {})[0]
      assert.equal(left('SELECT count(*) FROM messages'), 0, 'a message is left over')
      assert.equal(left('SELECT count(*) FROM events WHERE sent_at IS NULL'), 0)
      database.close()
    } finally {
      sender.kill('SIGKILL')
      subscriber.kill('SIGKILL')
    }
  })
})
