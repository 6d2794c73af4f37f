import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { Installation } from '../support/daemon.ts'
import { killInRounds } from '../support/kill-rounds.ts'
import { until } from '../support/store.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 25)

describe('a daemon that is killed again and again', function () {
  this.timeout(60_000 + ROUNDS * 4_000)

  it('loses no command, starts no attempt twice, and tells everything exactly once', async () => {
    await using installation = await Installation.make({})
    const { folder } = installation
    await killInRounds(installation, {
      rounds: ROUNDS,
      type: (type) => type,
      round: () => pause(20 + Math.random() * 600),
      endLimitMs: 60_000,
      async after() {
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
      },
    })
  })
})
