import assert from 'node:assert/strict'
import type { TaskRecord } from '../../src/core/task.ts'
import { attemptLogs, type LogQuery } from '../../src/engine/logs.ts'
import { ManualClock, newAttempt, newTask } from '../support/store.ts'

type Deps = Parameters<typeof attemptLogs>[0]

describe('the choice of where output is read', () => {
  const clock = new ManualClock()
  const at = clock.now()
  const exited = (logTail?: string) =>
    newAttempt(clock, 1, {
      state: 'exited',
      exit: { reason: 'failed', fault: 'task', at, ...(logTail !== undefined && { logTail }) },
    })

  /** Rows as they are at each look, and what the scheduler then has. */
  async function read(
    rows: readonly TaskRecord['attempts'][],
    looks: readonly (readonly string[])[],
    query: Partial<LogQuery> = {},
  ): Promise<{ text: string; asked: number; slept: number }> {
    const seen = { text: '', asked: 0, slept: 0 }
    let row = 0
    const deps: Deps = {
      tasks: {
        find: () => {
          const attempts = rows[Math.min(row++, rows.length - 1)]!
          return Promise.resolve({ task: newTask(clock, '1'), attempts })
        },
      },
      scheduler: {
        async *logs() {
          await Promise.resolve()
          yield* looks[seen.asked++] ?? []
        },
      },
      clock: {
        sleep: () => {
          seen.slept += 1
          return Promise.resolve()
        },
      },
    }
    const { signal } = new AbortController()
    const answer = await attemptLogs(deps, { taskId: 'encode/1', attempt: 1, signal, ...query })
    assert.equal(answer.kind, 'output')
    for await (const chunk of answer.chunks) seen.text += chunk
    return seen
  }

  const live = [newAttempt(clock, 1)]

  it('waits with a follower for a unit that is not there yet', async () => {
    const rows = [live, live, live]
    const seen = await read(rows, [[], [], ['late\n']], { follow: true })
    assert.deepEqual(seen, { text: 'late\n', asked: 3, slept: 2 })
  })

  it('waits for nothing where nobody follows', async () => {
    assert.deepEqual(await read([live], []), { text: '', asked: 1, slept: 0 })
  })

  it("gives the exit's tail where the unit was removed in between", async () => {
    const seen = await read([live, [exited('tail\n')]], [[]], { follow: true })
    assert.deepEqual(seen, { text: 'tail\n', asked: 1, slept: 0 })
  })

  it('gives no output twice', async () => {
    const seen = await read([live, [exited('one\ntwo\n')]], [['one\n', 'two\n']])
    assert.equal(seen.text, 'one\ntwo\n')
  })

  it('asks the scheduler for the unit of a failure that is kept', async () => {
    const seen = await read([[exited('tail\n')]], [['all of\n', 'it\n', 'tail\n']])
    assert.equal(seen.text, 'all of\nit\ntail\n')
  })

  it('cuts a tail at a whole character', async () => {
    const rows = [[{ ...exited('aé語𝄞'), releasedAt: at }]]
    for (const [tailBytes, text] of [
      [10, 'aé語𝄞'],
      [9, 'é語𝄞'],
      [8, '語𝄞'],
      [6, '𝄞'],
      [3, ''],
      [0, ''],
    ] as const) {
      assert.equal((await read(rows, [], { tailBytes })).text, text)
    }
  })

  it('ends with a follower who has left', async () => {
    const signal = AbortSignal.abort()
    assert.equal((await read([live], [['x']], { follow: true, signal })).text, '')
  })
})
