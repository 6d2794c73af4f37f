import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import {
  allEnded,
  assertAllHeardInOrder,
  assertNothingLostOrDoubled,
  linesOf,
  logOf,
} from '../support/account.ts'
import { Cluster, runProgram, startReplica } from '../support/cluster.ts'
import { freshDatabase } from '../support/postgres.ts'
import { until } from '../support/store.ts'

const COMMANDS = 150

describe('two daemons on one Postgres, without a broker', function () {
  this.timeout(180_000)

  it('lose and double nothing while one after the other is killed', async function () {
    await using database = await freshDatabase(this)
    await using cluster = await Cluster.make(2, { store: database.url })
    await cluster.start()
    const [first] = cluster.replicas
    const { url } = first!.daemon
    const { sent, heard, ran } = cluster.files
    await using sender = runProgram('sender.ts', url, sent, String(COMMANDS), '200')
    await using subscriber = runProgram('subscriber.ts', url, heard)
    for (let round = 0; round < 3; round += 1) {
      const [{ epoch }, leader] = [cluster, await cluster.leader()]
      await leader.daemon.end('SIGKILL')
      await cluster.nextLeader(epoch)
      await startReplica(leader)
      await pause(500)
    }
    assert.equal(await sender.exited, 0)
    const tasks = await allEnded(cluster.anyone, 60_000)
    const events = await logOf(cluster.anyone, tasks.length)
    assertNothingLostOrDoubled({
      acknowledged: linesOf(sent),
      tasks,
      events,
      ran: linesOf(ran),
    })
    await until(() => new Set(linesOf(heard)).size >= events.length, 'all is heard', 30_000)
    assertAllHeardInOrder(events, [...new Set(events.map(({ name }) => name))], linesOf(heard))
    assert.equal(subscriber.child.exitCode, null)
    await until(
      async () => {
        const [left] = await database.query(`SELECT
          (SELECT count(*) FROM messages) + (SELECT count(*) FROM events WHERE sent_at IS NULL) AS n`)
        return Number(left?.['n']) === 0
      },
      'no message and no unsent event is left',
      60_000,
    )
  })
})
