import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { linesOf } from '../support/account.ts'
import { Installation, shell } from '../support/daemon.ts'
import type { WireTask } from '../../src/core/wire.ts'
import { FakeNomad } from '../support/fake-nomad/fake-nomad.ts'
import type { Allocation } from '../support/fake-nomad/objects.ts'
import { killInRounds } from '../support/kill-rounds.ts'
import { until } from '../support/store.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 15)
const LIMIT_MS = 30_000
const GRACE_MS = 1_500
const retry = { max_attempts: 3, backoff: { initial: '100ms', jitter: 'none' } }

/** A task type whose command is a process of the node's, which writes down first that it ran. */
function written(ran: string, line: string, task: object = {}): object {
  return {
    command: shell(`echo "$LONGHAUL_TASK_ID $LONGHAUL_ATTEMPT" >> "$RAN"; ${line}`),
    environment: { RAN: ran },
    'x-task': { nomad: { driver: 'raw_exec' }, retry, keep: { failed_unit: '0s' }, ...task },
  }
}

/** Goes on until the test touches a file of this name. */
const waitsFor = (folder: string) => `until test -e ${folder}/go; do sleep 0.02; done`
const SLEEPS = 'trap "exit 143" TERM; echo here; while :; do sleep 0.05; done'

const isOutOfReach = ({ attempts }: WireTask) => attempts.at(-1)?.unreachableSince !== undefined
/** How many lists have been read. */
const listsOf = ({ asked }: FakeNomad) =>
  asked.filter((call) => call.startsWith('GET /v1/jobs?')).length

describe('a daemon on a fake Nomad', function () {
  this.timeout(120_000)
  let nomad: FakeNomad
  let daemon: Installation
  let ran: string

  const start = async (
    types: (ran: string, folder: string) => Readonly<Record<string, object>>,
    nodes: readonly string[] = ['node1'],
  ) => {
    nomad = await FakeNomad.start({ nodes, reportMs: 20 })
    daemon = await Installation.make({}, { scheduler: { kind: 'nomad', address: nomad.address } })
    ran = join(daemon.folder, 'ran')
    for (const [name, type] of Object.entries(types(ran, daemon.folder))) {
      await daemon.writeType(name, type)
    }
    assert.equal(await daemon.start(), 'started')
  }
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    await nomad[Symbol.asyncDispose]()
  })

  const allocations = (): readonly Allocation[] =>
    [...nomad.state.allocations.values()].toSorted((a, b) => a.CreateIndex - b.CreateIndex)
  const noJobIsLeft = () =>
    until(() => nomad.state.jobs.size === 0, 'its jobs are purged', LIMIT_MS)
  const isRunning = (id: string, attempt = 1) =>
    daemon.when(
      id,
      ({ attempts }) => attempts[attempt - 1]?.state === 'running',
      `runs its attempt ${attempt}`,
      LIMIT_MS,
    )
  const reasons = async (id: string) =>
    (await daemon.ended(id, LIMIT_MS)).attempts.map(({ exit }) => exit?.reason)
  /** Each attempt once, in order. */
  const assertRan = (id: string, attempts: number) => {
    const expected = Array.from({ length: attempts }, (_, i) => `${id} ${i + 1}`)
    assert.deepEqual(linesOf(ran), expected)
  }

  it('runs a task to its success, with its input, and purges its job', async () => {
    const said = 'echo "$SOURCE and $1 in $LONGHAUL_ATTEMPT"; echo "$LONGHAUL_INPUT"'
    await start(() => ({
      good: {
        command: [...shell(said), 'sh'],
        'x-task': {
          input: { type: 'object' },
          environment: { SOURCE: '/source' },
          arguments: [{ from: '/source' }],
          nomad: { driver: 'raw_exec' },
        },
      },
    }))
    const source = '${NOMAD_ALLOC_ID} %{x} "$(y)"'
    await daemon.run('good', '1', { input: { source } })
    const { outcome, attempts } = await daemon.ended('good/1', LIMIT_MS)
    assert.equal(outcome?.state, 'succeeded')
    assert.equal(attempts.length, 1)
    const output = `${source} and ${source} in 1\n${JSON.stringify({ source })}\n`
    assert.equal(attempts[0]?.exit?.logTail, output)
    await noJobIsLeft()
    assert.equal(await daemon.output('good/1'), output)
  })

  it('runs what fails again, and tells every exit with the end of its output', async () => {
    await start((file) => ({ bad: written(file, 'echo no; exit 3') }))
    await daemon.run('bad', '1')
    const { outcome, attempts } = await daemon.ended('bad/1', LIMIT_MS)
    assert.equal(outcome?.state, 'failed')
    const told = attempts.map(({ exit }) => [exit?.reason, exit?.code, exit?.logTail])
    assert.deepEqual(told, Array(3).fill(['failed', 3, 'no\n']))
    assertRan('bad/1', 3)
  })

  it('cancels what runs, and keeps the end of its output', async () => {
    await start((file) => ({ long: written(file, SLEEPS) }))
    await daemon.run('long', '1')
    await isRunning('long/1')
    await until(async () => (await daemon.output('long/1')) === 'here\n', 'it speaks')
    await daemon.fetch('/v1/tasks/long/1/cancel', { reason: 'enough' })
    const { outcome, attempts } = await daemon.ended('long/1', LIMIT_MS)
    assert.equal(outcome?.state, 'cancelled')
    assert.equal(attempts[0]?.exit?.logTail, 'here\n')
    await noJobIsLeft()
  })

  it('finds what ended while it was dead and while no event was told', async () => {
    await start((file, folder) => ({
      one: written(file, `${waitsFor(folder)}; echo ended`),
    }))
    for (const id of ['1', '2']) await daemon.run('one', id)
    for (const id of ['1', '2']) await isRunning(`one/${id}`)
    await daemon.end('SIGKILL')
    nomad.broker.drop()
    await daemon.touch('go')
    const over = () => allocations().every(({ ClientStatus }) => ClientStatus === 'complete')
    await until(over, 'both have ended')
    assert.equal(await daemon.start(), 'started')
    for (const id of ['1', '2']) {
      const { outcome, attempts } = await daemon.ended(`one/${id}`, LIMIT_MS)
      assert.equal(outcome?.state, 'succeeded')
      assert.equal(attempts[0]?.exit?.logTail, 'ended\n')
    }
    assert.deepEqual(linesOf(ran).sort(), ['one/1 1', 'one/2 1'])
  })

  it('goes on when its stream is cut after a gap that nothing told it of', async () => {
    await start((file) => ({ one: written(file, 'exit 0') }))
    await until(() => nomad.broker.subscribers > 0, 'it listens')
    nomad.broker.drop()
    await daemon.run('one', '1')
    await until(() => allocations()[0]?.ClientStatus === 'complete', 'it has ended')
    nomad.broker.mend()
    nomad.broker.cut()
    assert.deepEqual(await reasons('one/1'), ['completed'])
  })

  it('bears a Nomad that errs, and one that is away, without losing or repeating anything', async () => {
    await start((file) => ({ one: written(file, 'exit 0') }))
    {
      using _fault = nomad.faults.answer(500, 'No cluster leader')
      await daemon.run('one', '1')
      await daemon.logged((line) => line['error'] !== undefined, 'it is told of an error')
    }
    assert.deepEqual(await reasons('one/1'), ['completed'])
    await nomad.down()
    await daemon.run('one', '2')
    await until(async () => (await daemon.fetch('/readyz')).status === 503, 'it is not ready')
    await nomad.up()
    assert.deepEqual(await reasons('one/2'), ['completed'])
    assert.deepEqual(linesOf(ran), ['one/1 1', 'one/2 1'])
  })

  describe('when a node goes', () => {
    const twoNodes = ['node1', 'node2']
    const types = (after: string) => (file: string, folder: string) => ({
      one: written(file, waitsFor(folder), { on_node_lost: { action: 'retry', after } }),
    })

    it('waits for one that is back within the grace, and tells how its task really ended', async () => {
      await start(types('60s'), twoNodes)
      await daemon.run('one', '1')
      await isRunning('one/1')
      const node = allocations()[0]?.NodeName
      nomad.lose(node)
      await until(() => allocations()[0]?.ClientStatus === 'unknown', 'it is unknown')
      await nomad.bringBack(node)
      await daemon.touch('go')
      assert.deepEqual(await reasons('one/1'), ['completed'])
      assertRan('one/1', 1)
      assert.equal(allocations().length, 1)
      await noJobIsLeft()
    })

    it('takes nothing from one that is back, whatever a list has shown in between', async () => {
      await start(types(`${GRACE_MS}ms`), twoNodes)
      await daemon.run('one', '1')
      await isRunning('one/1')
      const node = allocations()[0]?.NodeName
      nomad.lose(node)
      await until(() => allocations()[0]?.ClientStatus === 'unknown', 'it is unknown')
      const listed = daemon.log.length
      nomad.broker.cut()
      await daemon.logged(({ msg }) => msg === 'watcher.reconnecting', 'it lists', { from: listed })
      const { attempts } = await daemon.when('one/1', isOutOfReach, 'is told to be out of reach')
      await until(() => nomad.broker.subscribers > 0 && listsOf(nomad) > 1, 'it has listed')
      await nomad.bringBack(node)
      const since = Date.parse(attempts[0]?.unreachableSince ?? '')
      await until(() => Date.now() > since + 2 * GRACE_MS, 'the grace is over')
      assert(!isOutOfReach(await daemon.task('one/1')))
      await daemon.touch('go')
      assert.deepEqual(await reasons('one/1'), ['completed'])
      assertRan('one/1', 1)
    })

    it('runs the task anew beyond the grace, once the lost attempt can start nothing any more', async () => {
      await start(types('1s'), twoNodes)
      await daemon.run('one', '1')
      await isRunning('one/1')
      const [first] = allocations()
      nomad.lose(first?.NodeName)
      await isRunning('one/1', 2)
      assert.equal((await daemon.task('one/1')).attempts[0]?.exit?.reason, 'node-lost')
      const calls = nomad.asked.map((call) => call.split('?')[0])
      const ended = calls.indexOf(`DELETE /v1/job/${first?.JobID ?? ''}`)
      assert(ended >= 0 && ended < calls.lastIndexOf('PUT /v1/jobs'))
      // Its copy goes on there, until its node is back: then it is stopped.
      await nomad.bringBack(first?.NodeName)
      await until(() => allocations()[0]?.ClientStatus === 'complete', 'the copy is stopped')
      await daemon.touch('go')
      assert.deepEqual(await reasons('one/1'), ['node-lost', 'completed'])
      assertRan('one/1', 2)
      await noJobIsLeft()
    })

    it('waits for as long as it takes where the type says so', async () => {
      await start((file, folder) => ({
        one: written(file, waitsFor(folder), { on_node_lost: { action: 'wait' } }),
      }))
      await daemon.run('one', '1')
      await isRunning('one/1')
      nomad.lose()
      await until(() => allocations()[0]?.ClientStatus === 'unknown', 'it is unknown')
      await daemon.end('SIGKILL')
      assert.equal(await daemon.start(), 'started')
      await nomad.bringBack()
      await daemon.touch('go')
      assert.deepEqual(await reasons('one/1'), ['completed'])
      assertRan('one/1', 1)
    })

    it('tells how a task ended meanwhile, and takes no second run of it for anything', async () => {
      await start(types('60s'), twoNodes)
      await daemon.run('one', '1')
      await isRunning('one/1')
      const [first] = allocations()
      nomad.lose(first?.NodeName)
      await until(() => allocations()[0]?.ClientStatus === 'unknown', 'it is unknown')
      await daemon.touch('go')
      await until(() => nomad.taskOn(first!)?.State === 'dead', 'it has ended')
      await nomad.bringBack(first?.NodeName)
      await until(() => allocations().length > 1, 'Nomad has made another')
      assert.deepEqual(await reasons('one/1'), ['completed'])
      await noJobIsLeft()
    })

    it('takes a program that its node has run again for no end of the attempt', async () => {
      await start((file) => ({ one: written(file, SLEEPS) }))
      await daemon.run('one', '1')
      await isRunning('one/1')
      await nomad.powerOff()
      await nomad.bringBack()
      await isRunning('one/1', 2)
      const { attempts } = await daemon.task('one/1')
      assert.equal(attempts[0]?.exit?.reason, 'interrupted')
      await daemon.fetch('/v1/tasks/one/1/cancel', {})
      await daemon.ended('one/1', LIMIT_MS)
      await noJobIsLeft()
    })
  })

  describe('takes a second allocation for no attempt of its own', () => {
    const taken: Readonly<
      Record<string, readonly [reason: string, take: (of: Allocation) => void]>
    > = {
      'an operator has stopped the first': [
        'removed',
        (of) => {
          nomad.stopAllocation(of)
        },
      ],
      'the first was drained': [
        'interrupted',
        ({ NodeName }) => {
          nomad.drain(NodeName, 0)
        },
      ],
      'the first was preempted': [
        'preempted',
        (of) => {
          nomad.preempt(of)
        },
      ],
    }
    for (const [when, [reason, take]] of Object.entries(taken))
      it(`when ${when}`, async () => {
        await start((file) => ({ one: written(file, SLEEPS) }), ['node1', 'node2'])
        await daemon.run('one', '1')
        await isRunning('one/1')
        const [first] = allocations()
        take(first!)
        await until(() => allocations().length > 1, 'Nomad has made another')
        await isRunning('one/1', 2)
        const { attempts } = await daemon.task('one/1')
        assert.deepEqual(
          attempts.map(({ exit }) => exit?.reason),
          [reason, undefined],
        )
        const living = allocations().filter(({ ClientStatus }) => ClientStatus === 'running')
        assert.equal(living.length, 1)
        assert.notEqual(living[0]?.JobID, first?.JobID)
        await daemon.fetch('/v1/tasks/one/1/cancel', {})
        await daemon.ended('one/1', LIMIT_MS)
        await noJobIsLeft()
      })
  })
})

describe('a daemon on a fake Nomad that is killed again and again', function () {
  this.timeout(90_000 + ROUNDS * 5_000)

  it('loses no command, starts no attempt twice, and tells everything exactly once', async () => {
    await using nomad = await FakeNomad.start({ nodes: ['node1', 'node2'], reportMs: 50 })
    await using daemon = await Installation.make(
      {},
      { scheduler: { kind: 'nomad', address: nomad.address } },
    )
    await killInRounds(daemon, {
      rounds: ROUNDS,
      type: onNomad,
      round: (n) => mischief(nomad, n),
      endLimitMs: 90_000,
      async after() {
        await until(() => nomad.state.jobs.size === 0, 'no job is left over', 60_000)
        assert.equal(await daemon.end(), 0)
      },
    })
  })
})

function onNomad(type: object): object {
  const { 'x-task': task, ...rest } = type as { 'x-task': object }
  return { ...rest, 'x-task': { ...task, nomad: { driver: 'raw_exec' } } }
}

/** What a Nomad does to its streams and calls, another thing in each round, at some moment of it. */
async function mischief(nomad: FakeNomad, round: number): Promise<void> {
  const aWhile = () => pause(20 + Math.random() * 400)
  await aWhile()
  switch (round % 5) {
    case 0:
      nomad.broker.cut()
      break
    case 1:
      nomad.broker.drop()
      await aWhile()
      nomad.broker.mend()
      break
    case 2:
      nomad.broker.repeat()
      break
    case 3: {
      using _fault = nomad.faults.answer(500, 'rpc error: No cluster leader')
      await aWhile()
      break
    }
    case 4:
      await nomad.down()
      await aWhile()
      await nomad.up()
      break
  }
  await aWhile()
}
