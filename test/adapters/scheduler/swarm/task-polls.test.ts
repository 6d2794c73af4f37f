import assert from 'node:assert/strict'
import type { EngineApi } from '../../../../adapters/scheduler/swarm/engine-api.ts'
import { TaskPolls } from '../../../../adapters/scheduler/swarm/task-polls.ts'
import type { TaskView } from '../../../../adapters/scheduler/swarm/views.ts'
import { never } from './swarm-harness.ts'

const task = (n: number, DesiredState: string, State = 'running'): TaskView => ({
  ID: `t${n}`,
  ServiceID: `s${n}`,
  Spec: {},
  Status: { State },
  DesiredState,
})

/** An engine that has these tasks, and counts what it is asked. */
function engineOf(tasks: () => readonly TaskView[]) {
  const asked = { lists: 0, sweeps: 0, singly: 0 }
  const refuse = () => Promise.reject(new Error('not asked for here'))
  const engine: EngineApi = {
    call: refuse,
    stream: refuse,
    read<T>(_path: string, _signal: AbortSignal, query?: Readonly<Record<string, unknown>>) {
      const filters = JSON.parse(String(query?.['filters'])) as { 'desired-state': string[] }
      const desired = filters['desired-state']
      asked[desired.includes('running') ? 'lists' : 'sweeps'] += 1
      return Promise.resolve(
        tasks().filter(({ DesiredState }) => desired.includes(DesiredState)) as T,
      )
    },
    find<T>(path: string) {
      asked.singly += 1
      const id = path.split('/').at(-1)
      return Promise.resolve(tasks().find(({ ID }) => ID === id) as T | undefined)
    },
  }
  return { engine, asked }
}

describe('looks at the tasks of a swarm', () => {
  it('are no list of all for what stays about to end on a node that is down', async () => {
    let desired = 'running'
    const tasks = () => Array.from({ length: 30 }, (_, n) => task(n, desired))
    const { engine, asked } = engineOf(tasks)
    const polls = new TaskPolls(engine, 'test')
    assert.equal((await polls.changed(never)).length, 30)
    assert.equal(asked.sweeps, 1)
    desired = 'shutdown'
    assert.equal((await polls.changed(never)).length, 30, 'so many at once are listed')
    assert.equal(asked.sweeps, 2)
    for (let look = 0; look < 5; look += 1) assert.deepEqual(await polls.changed(never), [])
    assert.equal(asked.sweeps, 2)
    assert.equal(asked.singly, 5 * 20)
  })

  it('tell of each that ends, were it the last to be asked for', async () => {
    const ended = new Set<number>()
    let desired = 'running'
    const { engine } = engineOf(() =>
      Array.from({ length: 30 }, (_, n) => task(n, desired, ended.has(n) ? 'failed' : 'running')),
    )
    const polls = new TaskPolls(engine, 'test')
    await polls.changed(never)
    desired = 'shutdown'
    await polls.changed(never)
    const told = new Set<string>()
    for (let n = 0; n < 30; n += 1) ended.add(n)
    for (let look = 0; look < 2; look += 1) {
      for (const { ID } of await polls.changed(never)) told.add(ID)
    }
    assert.equal(told.size, 30)
  })
})
