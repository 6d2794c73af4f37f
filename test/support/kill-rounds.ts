import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  allEnded,
  assertAllHeardInOrder,
  assertNothingLostOrDoubled,
  linesOf,
  logOf,
} from './account.ts'
import type { Installation } from './daemon.ts'
import { until } from './store.ts'
import { workType } from './work.ts'

const TASKS_A_ROUND = 12
const PROGRAMS = join(import.meta.dirname, '../fixtures/programs')

/**
 * Kills a daemon in each round while commands come in and events are read, and accounts for all of them
 * from outside: none lost, none with two outcomes, no attempt run twice, every event heard in order.
 */
export async function killInRounds(
  daemon: Installation,
  how: {
    readonly rounds: number
    /** The task type of the work, from the one for processes. */
    readonly type: (type: object) => object
    /** What happens in a round until the daemon is killed. */
    readonly round: (n: number) => Promise<void>
    readonly endLimitMs: number
    /** What must hold beside, once all have ended; the daemon runs. */
    readonly after: () => Promise<void>
  },
): Promise<void> {
  const { rounds } = how
  const { folder, url } = daemon
  const files = { ran: join(folder, 'ran'), sent: join(folder, 'sent'), got: join(folder, 'got') }
  await daemon.writeType('work', how.type(workType(files.ran)))
  const count = rounds * TASKS_A_ROUND
  const sender = run('sender.ts', url, files.sent, String(count), '20')
  const subscriber = run('subscriber.ts', url, files.got)
  const sent = once(sender, 'exit')
  try {
    for (let round = 0; round < rounds; round += 1) {
      assert.equal(await daemon.start(), 'started', daemon.lines.slice(-5).join('\n'))
      await how.round(round)
      await daemon.end('SIGKILL')
    }
    assert.equal(await daemon.start(), 'started')
    const [code] = (await sent) as [number]
    assert.equal(code, 0, 'the sender was refused')
    const tasks = await allEnded(daemon, how.endLimitMs)
    const acknowledged = linesOf(files.sent)
    assert.equal(acknowledged.length, count)
    const events = await logOf(daemon, tasks.length)
    assertNothingLostOrDoubled({ acknowledged, tasks, events, ran: linesOf(files.ran) })
    const keys = new Set(events.map(({ eventId, name }) => `${eventId} ${name}`))
    await until(() => new Set(linesOf(files.got)).size >= keys.size, 'the subscriber has all')
    const names = [...new Set(events.map(({ name }) => name))]
    assertAllHeardInOrder(events, names, linesOf(files.got))
    await how.after()
  } finally {
    sender.kill('SIGKILL')
    subscriber.kill('SIGKILL')
  }
}

function run(program: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(PROGRAMS, program), ...args], { stdio: 'inherit' })
}
