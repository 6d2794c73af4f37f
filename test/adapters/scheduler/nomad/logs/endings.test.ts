import assert from 'node:assert/strict'
import {
  nomadApi,
  type NomadApi,
} from '../../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import { targetOf } from '../../../../../adapters/scheduler/nomad/client/target.ts'
import { Endings } from '../../../../../adapters/scheduler/nomad/logs/endings.ts'
import { Followers } from '../../../../../adapters/scheduler/nomad/logs/followers.ts'
import type { SeenUnit } from '../../../../../adapters/scheduler/nomad/sight/sight.ts'
import { unitLogs } from '../../../../../adapters/scheduler/nomad/logs/unit-logs.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import type { Observation } from '../../../../../src/core/unit.ts'
import { unitNamed } from '../../../../contract/scheduler-adapter.ts'
import {
  type NomadReplay,
  nomadReplay,
  type ReplayAnswer,
} from '../../../../support/nomad-replay.ts'
import { QuietLogger, until } from '../../../../support/store.ts'

const never = new AbortController().signal

/** A unit that has ended at this index. */
function ended(index: number): SeenUnit {
  const { name: unit, identity } = unitNamed(`lh-${index}`)
  return {
    observation: { unit, identity, phase: 'exited', exit: { reason: 'completed' }, stopped: false },
    allocation: {
      ID: `a${index}`,
      JobID: unit,
      CreateIndex: 1,
      ModifyIndex: index,
      ClientStatus: 'complete',
      TaskStates: { main: { State: 'dead', StartedAt: '2026-01-01T00:00:00Z' } },
    },
    logTailBytes: 100,
  }
}

const tails = (told: readonly Observation[]) =>
  told.map((one) => (one.phase === 'exited' ? one.exit.logTail : undefined))

describe('the ends of logs on Nomad', () => {
  let replay: NomadReplay
  let api: NomadApi
  let endings: Endings
  /** Those that wait for an answer, by allocation and output. */
  let waiting: Map<string, (answer: ReplayAnswer) => void>
  beforeEach(async () => {
    replay = await nomadReplay()
    api = nomadApi(targetOf({ address: replay.address, tls: {} }, {}))
    endings = new Endings({ api, logger: new QuietLogger() })
    waiting = new Map()
    replay.on('GET /v1/client/fs/logs/*', ({ path, query }) => {
      const asked = `${path.split('/').at(-1) ?? ''} ${query.get('type') ?? ''}`
      return new Promise((resolve) => waiting.set(asked, resolve))
    })
  })
  afterEach(async () => {
    await api[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })
  const asked = (...allocations: readonly string[]) =>
    until(
      () => allocations.every((id) => waiting.has(`${id} stdout`) && waiting.has(`${id} stderr`)),
      `${allocations.join(' and ')} are asked for`,
    )
  /** Says `text`, and has the next ask for it wait anew. */
  const answer = (id: string, text: string) => {
    for (const type of ['stdout', 'stderr']) {
      const key = `${id} ${type}`
      const say = waiting.get(key)!
      waiting.delete(key)
      say({ body: type === 'stdout' ? text : '' })
    }
  }

  it('are asked for three units at a time, from what has ended last', async () => {
    const told = endings.complete([2, 4, 1, 3].map(ended), never)
    await asked('a4', 'a3', 'a2')
    assert.equal(waiting.size, 6)
    for (const id of ['a4', 'a3', 'a2']) answer(id, `of ${id}\n`)
    await asked('a1')
    answer('a1', 'of a1\n')
    assert.deepEqual(tails(await told), ['of a2\n', 'of a4\n', 'of a1\n', 'of a3\n'])
  })

  it('have their time from their turn on, however long others have waited', async () => {
    const list = endings.complete([1, 2, 3].map(ended), never)
    const watch = endings.complete([ended(9)], never)
    // Their node does not answer.
    assert.deepEqual(tails(await list), [undefined, undefined, undefined])
    await asked('a9')
    answer('a9', 'of a9\n')
    assert.deepEqual(tails(await watch), ['of a9\n'])
  })

  it('lose nothing where somebody gives up before his turn has come', async () => {
    const list = endings.complete([1, 2, 3].map(ended), never)
    await asked('a3', 'a2', 'a1')
    const given = new AbortController()
    const watch = endings.complete([ended(9)], given.signal)
    given.abort()
    await assert.rejects(watch, { name: 'Unavailable', code: 'aborted' })
    const again = endings.complete([ended(9)], never)
    for (const id of ['a3', 'a2', 'a1']) answer(id, `of ${id}\n`)
    assert.deepEqual(tails(await list), ['of a1\n', 'of a2\n', 'of a3\n'])
    await asked('a9')
    answer('a9', 'of a9\n')
    assert.deepEqual(tails(await again), ['of a9\n'])
  })

  it('wait for nobody who reads the end of a log', async () => {
    replay.on('GET /v1/job/lh-5/allocations', { body: [ended(5).allocation] })
    const given = new AbortController()
    const parts = { api, followers: new Followers() }
    const options = { tailBytes: 5, signal: given.signal }
    const readers = [1, 2, 3].map(() => unitLogs(parts, 'lh-5', options).next())
    const reads = () => replay.asked.filter((one) => one.includes('/logs/a5')).length
    await until(() => reads() === 6, 'all of them read')
    const told = endings.complete([ended(1)], never)
    await asked('a1')
    answer('a1', 'one\n')
    assert.deepEqual(tails(await told), ['one\n'])
    given.abort()
    await Promise.allSettled(readers)
  })

  it('are not done without because nobody waited for them: no exit is told', async () => {
    const given = new AbortController()
    const told = endings.complete([ended(1)], given.signal)
    told.catch(() => undefined)
    await asked('a1')
    given.abort()
    await assert.rejects(told, { name: 'Unavailable', code: 'aborted' })

    waiting.clear()
    const again = endings.complete([ended(1)], never)
    await asked('a1')
    answer('a1', 'one\n')
    assert.deepEqual(tails(await again), ['one\n'])
  })

  it('are asked for anew by whoever still wants what another one gave up', async () => {
    const given = new AbortController()
    const first = endings.complete([ended(1)], given.signal)
    first.catch(() => undefined)
    await asked('a1')
    const second = endings.complete([ended(1)], never)
    waiting.clear()
    given.abort()
    await assert.rejects(first, Unavailable)
    await asked('a1')
    answer('a1', 'one\n')
    assert.deepEqual(tails(await second), ['one\n'])
  })

  it('are asked for once, also where there was nothing to be had', async () => {
    replay.on('GET /v1/client/fs/logs/*', { status: 500, body: 'rpc error' })
    for (const _ of [1, 2]) {
      assert.deepEqual(tails(await endings.complete([ended(1)], never)), [undefined])
      await until(() => replay.asked.length === 2, 'both outputs are asked for')
    }
    assert.equal(replay.asked.length, 2)
  })
})
