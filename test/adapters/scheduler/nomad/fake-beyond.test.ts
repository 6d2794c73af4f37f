import assert from 'node:assert/strict'
import { FakeNomad, type FakeNomadOptions } from '../../../support/fake-nomad/fake-nomad.ts'
import type { Allocation } from '../../../support/fake-nomad/objects.ts'
import { until } from '../../../support/store.ts'
import { readStream } from './fake-stream.ts'

const YEAR_NS = 365 * 24 * 3_600_000_000_000

/** What the recordings leave open: as the source of 1.6.5 has it. */
describe('a fake Nomad, beyond what was recorded', () => {
  let nomad: FakeNomad
  const start = async (options: FakeNomadOptions = {}) => {
    nomad = await FakeNomad.start({ reportMs: 5, script: () => ({}), ...options })
  }
  afterEach(() => nomad[Symbol.asyncDispose]())

  const call = (method: string, path: string, body?: object) =>
    fetch(`${nomad.address}${path}`, { method, ...(body && { body: JSON.stringify(body) }) })
  async function register(ID: string, group: object = {}): Promise<void> {
    const task = { Name: 'main', Driver: 'raw_exec', Config: { command: 'true' } }
    const groups = [{ Name: 'attempt', ...group, Tasks: [task] }]
    const Job = { ID, Type: 'batch', Meta: { of: ID }, TaskGroups: groups }
    const { status } = await call('PUT', '/v1/jobs', {
      Job,
      EnforceIndex: true,
      JobModifyIndex: 0,
    })
    assert.equal(status, 200)
  }
  const borne = { MaxClientDisconnect: YEAR_NS }
  const allocations = (job = 'a') => nomad.allocationsOf(job)
  const statuses = (job?: string) => allocations(job).map(({ ClientStatus }) => ClientStatus)
  const are = (...expected: readonly Allocation['ClientStatus'][]) =>
    until(() => statuses().join() === expected.join(), `allocations are ${expected.join()}`)
  const events = ({ TaskStates }: Allocation) =>
    TaskStates?.['main']?.Events.map(({ Type }) => Type) ?? []

  describe('streams', () => {
    const indexes = (frames: readonly { readonly Index?: number }[]) =>
      frames.flatMap(({ Index }) => Index ?? [])

    it('begin with a heartbeat, and with the newest frame for whoever asks for a later one', async () => {
      await start()
      await register('a')
      await are('running')
      const { index } = nomad.state
      await using stream = await readStream(nomad.address)
      await stream.until((frames) => frames.length > 1, 'a frame')
      assert.deepEqual(stream.frames[0], {})
      assert.deepEqual(indexes(stream.frames), [index])
    })

    it('go back to the frame that is asked for, and to the oldest where it is gone', async () => {
      await start()
      for (let i = 0; i < 50; i += 1) await register(`job-${i}`)
      await until(() => statuses('job-49').join() === 'running', 'the last one runs')
      const { index } = nomad.state
      await using stream = await readStream(nomad.address, { index: index - 1, topics: ['*'] })
      await stream.until((frames) => indexes(frames).includes(index), 'the newest')
      assert.equal(indexes(stream.frames)[0], index - 1)
      await using whole = await readStream(nomad.address, { index: 1, topics: ['*'] })
      await whole.until((frames) => indexes(frames).includes(index), 'the newest')
      assert.equal(indexes(whole.frames).length, 100)
      assert(indexes(whole.frames)[0]! > 1)
    })

    it('leave out what is dropped, say what is repeated, and end without a word when cut', async () => {
      await start()
      await using stream = await readStream(nomad.address, { topics: ['Job'] })
      const said = () => stream.frames.flatMap(({ Events }) => (Events ?? []).map(({ Key }) => Key))
      nomad.broker.drop()
      await register('a')
      await are('running')
      nomad.broker.mend()
      await register('b')
      await stream.until(() => said().includes('b'), 'the second')
      assert(!said().includes('a'))
      nomad.broker.repeat()
      await stream.until(() => said().includes('a'), 'the first')
      nomad.broker.cut()
      await stream.ended
    })
  })

  describe('lists', () => {
    it('come by page, the next one from the token on', async () => {
      await start()
      for (const id of ['a', 'b', 'c']) await register(id)
      await until(() => nomad.state.allocations.size === 3, 'all are placed')
      for (const path of ['/v1/jobs', '/v1/allocations', '/v1/evaluations']) {
        const first = await call('GET', `${path}?per_page=2`)
        const token = first.headers.get('x-nomad-nexttoken') ?? ''
        const second = await call('GET', `${path}?per_page=2&next_token=${token}`)
        const pages = [await first.json(), await second.json()] as { ID: string }[][]
        assert.deepEqual(
          pages.map(({ length }) => length),
          [2, 1],
        )
        assert.equal(new Set(pages.flat().map(({ ID }) => ID)).size, 3)
        assert.equal(second.headers.get('x-nomad-nexttoken'), null)
      }
    })

    it('hold what their filter lets through', async () => {
      await start()
      for (const id of ['a', 'b', 'ab']) await register(id)
      const found = async (filter: string) => {
        const answer = await call('GET', `/v1/jobs?filter=${encodeURIComponent(filter)}`)
        return ((await answer.json()) as { ID: string }[]).map(({ ID }) => ID)
      }
      assert.deepEqual(await found('Meta["of"] == "b"'), ['b'])
      assert.deepEqual(await found('ID matches "^a"'), ['a', 'ab'])
      assert.deepEqual(await found('ID matches "^a" and (Name == "x" or Name != "a")'), ['ab'])
    })
  })

  describe('nodes', () => {
    it('lose their allocations when they go, which are placed anew at once', async () => {
      await start({ nodes: ['node1', 'node2'] })
      await register('a')
      await are('running')
      nomad.lose(allocations()[0]?.NodeName)
      await are('lost', 'running')
      const [first, second] = allocations()
      assert.equal(second?.PreviousAllocation, first?.ID)
      assert.equal(first?.NextAllocation, second?.ID)
      await nomad.bringBack(first?.NodeName)
      await are('complete', 'running')
    })

    it('are waited for where a job bears that, and go on with what they ran', async () => {
      await start({ nodes: ['node1', 'node2'] })
      await register('a', borne)
      await are('running')
      const [first] = allocations()
      nomad.lose(first?.NodeName)
      await are('unknown')
      await nomad.bringBack(first?.NodeName)
      await are('running')
      nomad.end(first!, { code: 0, signal: 0 })
      await are('complete')
    })

    // Seen on a real 1.6.5: what is over does not count any more (#19729).
    it('have what ended while they were away run again, even a success', async () => {
      await start({ nodes: ['node1', 'node2'] })
      await register('a', borne)
      await are('running')
      const [first] = allocations()
      nomad.lose(first?.NodeName)
      await are('unknown')
      nomad.end(first!, { code: 0, signal: 0 })
      await nomad.bringBack(first?.NodeName)
      await are('complete', 'running')
    })

    it('have what failed while they were away placed anew', async () => {
      await start()
      await register('a', borne)
      await are('running')
      nomad.lose()
      await are('unknown')
      nomad.end(allocations()[0]!, { code: 3, signal: 0 })
      await nomad.bringBack()
      await are('failed', 'running')
    })

    it('run what they had lost with their power again, in the same allocation', async () => {
      await start()
      await register('a', borne)
      await are('running')
      await nomad.powerOff()
      await are('unknown')
      await nomad.bringBack()
      await are('running')
      const [allocation] = allocations()
      assert.equal(events(allocation!).filter((type) => type === 'Started').length, 2)
      assert(events(allocation!).includes('Failed Restoring Task'))
    })

    it('that are drained pass on what they run, and take nothing until they may again', async () => {
      await start({ nodes: ['node1', 'node2'] })
      await register('a')
      await are('running')
      const drained = allocations()[0]?.NodeName
      nomad.drain(drained, 0)
      await are('complete', 'running')
      nomad.drain(allocations()[1]?.NodeName, 0)
      await register('b')
      await until(() => nomad.state.jobs.get('b')?.Status === 'pending', 'it has no place')
      assert.deepEqual(statuses('b'), [])
      nomad.setEligible(drained, true)
      await until(() => statuses('b').join() === 'running', 'it has one')
    })
  })

  it('runs again what has failed, of a job that bears a node that goes, as soon as it is looked at', async () => {
    await start({ script: () => ({ ends: { code: 3, signal: 0 } }) })
    await register('a', borne)
    await are('failed')
    nomad.setEligible(undefined, true)
    await are('failed', 'failed')
  })

  it('takes a place from a job for one of a higher priority, and gives it another', async () => {
    await start()
    await register('a')
    await are('running')
    nomad.preempt(allocations()[0]!)
    await are('complete', 'running')
    const [first] = allocations()
    assert.equal(first?.DesiredStatus, 'evict')
    assert(events(first).includes('Killed'))
  })

  it('answers with an error for as long as it is told to', async () => {
    await start()
    const status = async () => (await call('GET', '/v1/jobs')).status
    {
      using _fault = nomad.faults.answer(500, 'No cluster leader', { call: /^GET \/v1\/jobs/ })
      assert.equal(await status(), 500)
      assert.equal((await call('GET', '/v1/nodes')).status, 200)
    }
    assert.equal(await status(), 200)
  })

  it('goes and comes back at the same address, with what it knew', async () => {
    await start()
    await register('a')
    await are('running')
    await nomad.down()
    await assert.rejects(call('GET', '/v1/jobs'))
    await nomad.up()
    assert.equal(((await (await call('GET', '/v1/jobs')).json()) as unknown[]).length, 1)
  })
})
