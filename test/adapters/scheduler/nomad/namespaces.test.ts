import assert from 'node:assert/strict'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { Observation, UnitSpec } from '../../../../src/core/unit.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { FakeNomad } from '../../../support/fake-nomad/fake-nomad.ts'
import { jobKey } from '../../../support/fake-nomad/objects.ts'
import { until } from '../../../support/store.ts'
import { openedOn, type OpenedScheduler } from './opened.ts'

const never = new AbortController().signal
const NAME = 'lh-1'

/** One that says a word and goes on. */
function saying(word: string, nomad: Partial<Service['nomad']> = {}): UnitSpec {
  const command = ['sh', '-c', `echo ${word}; trap 'exit 143' INT; sleep 1000 & wait`]
  const unit = unitNamed(NAME, { command, nomad: { driver: 'raw_exec', ...nomad } })
  return { ...unit, identity: { ...unit.identity, installation: 'test' } }
}

/** The same unit in two namespaces, each with a token that may nothing in the other. */
describe('a namespace of Nomad', () => {
  let nomad: FakeNomad
  let ours: OpenedScheduler
  let others: OpenedScheduler
  beforeEach(async () => {
    nomad = await FakeNomad.start({
      reportMs: 5,
      namespaces: ['work'],
      tokens: { ours: { namespace: 'work' }, others: { namespace: 'default' } },
    })
    ours = openedOn(nomad.address, { namespace: 'work', token: 'ours' })
    others = openedOn(nomad.address, { token: 'others' })
  })
  afterEach(async () => {
    for (const one of [ours, others, nomad]) await one[Symbol.asyncDispose]()
  })

  const phases = async ({ scheduler }: OpenedScheduler) =>
    (await scheduler.list(never)).map(({ phase }) => phase)
  const isRunning = (one: OpenedScheduler) =>
    until(async () => (await phases(one)).join() === 'running', 'it runs')
  const log = async ({ scheduler }: OpenedScheduler) => {
    let text = ''
    for await (const chunk of scheduler.logs(NAME, { signal: never })) text += chunk
    return text
  }

  it('holds what is started in it: no list, no event and no log of another is seen', async () => {
    const told: Observation[] = []
    const left = new AbortController()
    const watched = await ours.scheduler.watch(left.signal)
    const watching = (async () => {
      for await (const one of watched) told.push(one)
    })()
    await others.scheduler.start(saying('theirs'), never)
    await isRunning(others)
    assert.deepEqual(await phases(ours), [])
    assert.equal(await log(ours), '')

    await ours.scheduler.start(saying('ours'), never)
    await isRunning(ours)
    await until(() => told.some(({ phase }) => phase === 'running'), 'it is told')
    await until(async () => (await log(ours)) !== '', 'something is written')
    assert.deepEqual([await log(ours), await log(others)], ['ours\n', 'theirs\n'])
    const before = told.length
    await others.scheduler.stop(NAME, never)
    await until(async () => (await phases(others)).join() === 'exited', 'it is over')
    left.abort()
    await watching
    assert.deepEqual(told.slice(before), [])
    assert.deepEqual(await phases(ours), ['running'])
  })

  it('is all that is touched: what is stopped and removed in it goes on in another', async () => {
    for (const [one, word] of [[ours, 'ours'] as const, [others, 'theirs'] as const]) {
      await one.scheduler.start(saying(word), never)
      await isRunning(one)
    }
    await ours.scheduler.stop(NAME, never)
    await until(async () => (await phases(ours)).join() === 'exited', 'it is over')
    assert.deepEqual(await phases(others), ['running'])
    await ours.scheduler.remove(NAME, never)
    assert.deepEqual([...nomad.state.jobs.keys()], [NAME])
    assert.deepEqual(await phases(others), ['running'])
    assert.equal(nomad.allocationsOf(jobKey('work', NAME)).length, 1)
  })

  it('is where a job is validated that Nomad has refused', async () => {
    const attribute = '${attr.kernel.name}'
    const refused = saying('ours', {
      constraints: [{ attribute, operator: 'regexp', value: '((' }],
    })
    for (const { scheduler } of [ours, others]) {
      await assert.rejects(scheduler.start(refused, never), {
        name: 'Rejected',
        message: /^Constraint \d+ validation failed: .*failed to compile/,
      })
    }
  })

  it('may be missing for a while', async () => {
    await using nowhere = openedOn(nomad.address, { namespace: 'none', token: 'ours' })
    await assert.rejects(nowhere.scheduler.start(saying('ours'), never), Unavailable)
    await using open = await FakeNomad.start()
    await using anybody = openedOn(open.address, { namespace: 'none' })
    await assert.rejects(anybody.scheduler.start(saying('ours'), never), {
      name: 'Unavailable',
      message: /job "lh-1" is in nonexistent namespace "none"/,
    })
  })
})
