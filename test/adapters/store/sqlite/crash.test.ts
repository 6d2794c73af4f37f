import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openSqliteStore } from '../../../../adapters/store/sqlite/open.ts'
import { ManualClock, QuietLogger, temporaryFolder, until } from '../../../support/store.ts'
import { startHolder } from './holder-process.ts'

describe('the SQLite store, killed in the midst of writing', () => {
  it('has every acknowledged transaction, and each transaction whole', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'longhaul.db')
    const acknowledged: string[] = []
    for (const round of ['a', 'b', 'c', 'd']) {
      await using holder = await startHolder(file, 'write', round)
      const enough = 50 + Math.floor(Math.random() * 500)
      await until(() => holder.lines().length > enough, 'something is written', 10_000)
      await holder.kill()
      acknowledged.push(...holder.lines())
    }

    await using store = await openSqliteStore({
      file,
      clock: new ManualClock(),
      logger: new QuietLogger(),
    })
    const events = new Set<string>()
    for (let after: string | undefined; ;) {
      const page = await store.events.read({ limit: 1000, ...(after !== undefined && { after }) })
      for (const { eventId } of page.events) events.add(eventId)
      if (page.cursor === after) break
      after = page.cursor
    }
    for (const line of acknowledged) {
      const [what, id = ''] = line.split(' ')
      if (what === 'open') continue
      assert.ok(events.has(`${what}-${id}`), `acknowledged: ${line}`)
    }
    for (let cursor: string | undefined; ;) {
      const page = await store.tasks.list({ limit: 200, ...(cursor !== undefined && { cursor }) })
      for (const { task, attempts } of page.tasks) {
        const id = task.id.slice('encode/'.length)
        const started = task.revision === 1
        assert.ok(events.has(`accepted-${id}`))
        assert.equal(events.has(`started-${id}`), started)
        assert.equal(attempts.length, started ? 1 : 0)
        assert.equal(await store.tasks.hasApplied(`command-${id}`), started)
      }
      cursor = page.next
      if (cursor === undefined) break
    }
    assert.ok(events.size > 200)
  }).timeout(60_000)
})
