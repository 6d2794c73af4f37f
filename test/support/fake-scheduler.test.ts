import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { Unavailable } from '../../src/core/errors.ts'
import { exitOfCode } from '../../src/core/exit.ts'
import type { Observation, UnitSpec } from '../../src/core/unit.ts'
import { schedulerAdapterContract, unitNamed } from '../contract/scheduler-adapter.ts'
import type { Program } from '../contract/scheduler-adapter.ts'
import { FakeScheduler } from './fake-scheduler.ts'
import type { FakeProgram } from './fake-scheduler.ts'

const signal = new AbortController().signal

schedulerAdapterContract(
  'the fake',
  { exitAfterStop: true, logTail: true, follow: false, withinMs: 2000 },
  async () => {
    const programs = new Map<string, FakeProgram>()
    const fake = new FakeScheduler({ now: () => new Date() })
    fake.program = (unit) => programs.get(unit.name) ?? {}
    const ticking = setInterval(() => {
      fake.settle()
    }, 5)
    let units = 0
    return await Promise.resolve({
      adapter: fake,
      reopen: () => Promise.resolve(fake.reopen()),
      unit: (program: Program) => {
        units += 1
        const unit = unitNamed(`lh-fake-${units}`, { stopGraceMs: 50 })
        programs.set(unit.name, fakeProgram(program))
        return unit
      },
      runs: (unit: UnitSpec) => Promise.resolve(fake.starts(unit.name)),
      [Symbol.asyncDispose]: async () => {
        clearInterval(ticking)
        await fake[Symbol.asyncDispose]()
      },
    })
  },
)

function fakeProgram(program: Program): FakeProgram {
  switch (program.does) {
    case 'succeed':
      return { runsMs: 10 }
    case 'exit':
      return { runsMs: 10, exit: exitOfCode(program.code) }
    case 'write': {
      const output = program.lines.map((line) => `${line}\n`).join('')
      return program.exitCode === undefined
        ? { output }
        : { output, runsMs: 10, exit: exitOfCode(program.exitCode) }
    }
    case 'sleep':
      return {}
    case 'ignore-stop':
      return { heedsStop: false }
    case 'not-exist':
      return { neverRuns: true, runsMs: 10, exit: { reason: 'start-failed' } }
  }
}

describe('the fake scheduler', () => {
  let now: number
  let fake: FakeScheduler
  const unit = unitNamed('lh-u', { stopGraceMs: 1000 })
  const phase = async (): Promise<string | undefined> => (await fake.list(signal))[0]?.phase
  beforeEach(() => {
    now = 0
    fake = new FakeScheduler({ now: () => new Date(now) })
    fake.program = () => ({ startsAfterMs: 10, runsMs: 100 })
  })
  afterEach(async () => {
    await fake[Symbol.asyncDispose]()
  })

  it('goes by the clock that it is given', async () => {
    await fake.start(unit, signal)
    assert.equal(await phase(), 'pending')
    now = 10
    assert.equal(await phase(), 'running')
    now = 110
    assert.equal(await phase(), 'exited')
  })

  it('kills what does not heed its stop when the grace is over', async () => {
    fake.program = () => ({ heedsStop: false })
    await fake.start(unit, signal)
    await fake.stop(unit.name, signal)
    now = 999
    assert.equal(await phase(), 'running')
    now = 1000
    assert.equal(await phase(), 'exited')
  })

  it('throws before a call has taken effect, or after', async () => {
    fake.fault = () => 'before'
    await assert.rejects(fake.start(unit, signal), Unavailable)
    fake.fault = ({ method }) => (method === 'start' ? 'after' : undefined)
    assert.equal(await phase(), undefined)
    await assert.rejects(fake.start(unit, signal), Unavailable)
    assert.equal(await phase(), 'pending')
  })

  it('loses, repeats and delays what a watch is told', async () => {
    const told: Observation[] = []
    const given = new AbortController()
    const stream = await fake.watch(given.signal)
    const reading = (async () => {
      for await (const seen of stream) told.push(seen)
    })()
    fake.delivery = ({ phase }) =>
      phase === 'pending' ? 'lose' : phase === 'running' ? 'repeat' : 50
    await fake.start(unit, signal)
    for (now of [10, 110, 159]) await fake.list(signal)
    await turn()
    assert.deepEqual(
      told.map(({ phase }) => phase),
      ['running', 'running'],
    )
    now = 160
    await fake.list(signal)
    await turn()
    assert.equal(told.at(-1)?.phase, 'exited')
    given.abort()
    await reading
  })

  it('fails every watch when they are broken', async () => {
    const stream = await fake.watch(signal)
    fake.breakWatches()
    await assert.rejects(async () => {
      for await (const _seen of stream);
    }, Unavailable)
  })

  it('shows the units of a lost node as unreachable, and what became of them when it returns', async () => {
    await fake.start(unit, signal)
    now = 10
    fake.loseNode('node-1')
    assert.equal(await phase(), 'unreachable')
    now = 110
    assert.equal(await phase(), 'unreachable')
    fake.returnNode('node-1')
    assert.equal(await phase(), 'exited')
  })

  it('lets a removed unit run on a lost node until that returns', async () => {
    fake.program = () => ({})
    await fake.start(unit, signal)
    fake.loseNode('node-1')
    await fake.remove(unit.name, signal)
    assert.equal(await phase(), undefined)
    assert.equal(fake.running().length, 1)
    fake.returnNode('node-1')
    assert.equal(fake.running().length, 0)
  })

  it('drops a unit with a word of it or without', async () => {
    await fake.start(unit, signal)
    fake.drop(unit.name, 'told')
    assert.equal(await phase(), 'removed')
    fake.drop(unit.name, 'silently')
    assert.equal(await phase(), undefined)
  })

  it('ends a unit at once, in the way that a test wants', async () => {
    await fake.start(unit, signal)
    fake.finish(unit.name, { reason: 'oom', code: 137 })
    const [seen] = await fake.list(signal)
    assert(seen?.phase === 'exited')
    assert.equal(seen.exit.reason, 'oom')
  })
})
