import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isEnded, type TaskRecord } from '../../src/core/task.ts'
import type { FakeCall, FakeProgram } from '../support/fake-scheduler.ts'
import { fixedTypes, loadedType, runsOneImage, Simulation } from '../support/simulation.ts'

const MAX_ATTEMPTS = 3
const TYPE = loadedType(
  'work',
  {
    start_timeout: '30s',
    attempt_timeout: '5m',
    deadline: '30m',
    retry: {
      max_attempts: MAX_ATTEMPTS,
      backoff: { initial: '5s', max: '1m' },
      rules: [{ when: { exit_code: ['64-78'] }, action: 'fail' }],
    },
    on_node_lost: { action: 'retry', after: '60s' },
    keep: { failed_unit: '1m', outcome: '30d' },
  },
  { image: 'work:1' },
)

type Step =
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'deliver' | 'forget'; readonly index: number }
  | { readonly do: 'cancel' | 'redrive'; readonly task: number }
  | { readonly do: 'fault'; readonly method: FakeCall['method']; readonly when: 'before' | 'after' }
  | { readonly do: 'delivery'; readonly how: 'lose' | 'repeat' | number }
  | { readonly do: 'loseNode' | 'returnNode'; readonly node: string }
  | { readonly do: 'drop'; readonly unit: number; readonly how: 'told' | 'silently' }
  | { readonly do: 'breakWatches' | 'crash' | 'takeOver' | 'broker' | 'heal' }

const NODES = ['node-1', 'node-2']
const program: fc.Arbitrary<FakeProgram> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ runsMs: fc.integer({ min: 0, max: 90_000 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      runsMs: fc.integer({ min: 0, max: 20_000 }),
      startsAfterMs: fc.constantFrom(0, 500, 12_000),
      exit: fc.constantFrom(
        { reason: 'failed' as const, code: 3 },
        { reason: 'failed' as const, code: 65 },
        { reason: 'killed' as const, code: 137, signal: 'SIGKILL' },
        { reason: 'preempted' as const },
      ),
      node: fc.constantFrom(...NODES),
    }),
  },
  { weight: 1, arbitrary: fc.record({ heedsStop: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ startsAfterMs: 120_000, runsMs: 1_000 }) },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.constantFrom(10, 1_000, 5_000, 11_000, 61_000),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('deliver' as const), index: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), index: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'redrive' as const),
      task: fc.nat(2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      method: fc.constantFrom<FakeCall['method']>(
        'resolve',
        'start',
        'stop',
        'remove',
        'list',
        'watch',
      ),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('delivery' as const),
      how: fc.constantFrom<'lose' | 'repeat' | number>('lose', 'repeat', 3_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('loseNode' as const, 'returnNode' as const),
      node: fc.constantFrom(...NODES),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('drop' as const),
      unit: fc.nat(5),
      how: fc.constantFrom('told' as const, 'silently' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'breakWatches' as const,
        'crash' as const,
        'takeOver' as const,
        'broker' as const,
        'heal' as const,
      ),
    }),
  },
)

async function take(simulation: Simulation, { ...step }: Step): Promise<void> {
  const { scheduler, process } = simulation
  switch (step.do) {
    case 'advance':
      return simulation.advance(step.ms)
    case 'deliver':
      return simulation.deliver(step.index)
    case 'forget':
      simulation.wire.splice(step.index % Math.max(1, simulation.wire.length), 1)
      return
    case 'cancel':
      await process.control.cancel({ taskId: `work/${step.task}`, by: 'test' })
      return simulation.quiesce()
    case 'redrive':
      await process.control.redrive({ taskId: `work/${step.task}` })
      return simulation.quiesce()
    case 'fault':
      scheduler.fault = ({ method }) => (method === step.method ? step.when : undefined)
      return
    case 'delivery':
      scheduler.delivery = () => step.how
      return
    case 'loseNode':
      scheduler.loseNode(step.node)
      return simulation.quiesce()
    case 'returnNode':
      scheduler.returnNode(step.node)
      return simulation.quiesce()
    case 'drop': {
      const running = scheduler.running()
      const unit = running[step.unit % Math.max(1, running.length)]
      if (unit) scheduler.drop(unit.name, step.how)
      return simulation.quiesce()
    }
    case 'breakWatches':
      scheduler.breakWatches()
      return simulation.quiesce()
    case 'crash':
      return simulation.crash()
    case 'takeOver':
      return simulation.takeOver()
    case 'broker':
      simulation.publishing = !simulation.publishing
      return
    case 'heal':
      heal(simulation)
  }
}

function heal({ scheduler }: Simulation): void {
  scheduler.fault = () => undefined
  scheduler.delivery = () => undefined
  for (const node of NODES) scheduler.returnNode(node)
}

/** No task has two copies on nodes that answer. */
function runsOnce(simulation: Simulation): void {
  const tasks = simulation.scheduler.running().map(({ identity }) => identity.taskUid)
  assert.equal(new Set(tasks).size, tasks.length, 'a task runs twice')
}

function checkRecord({ task, attempts }: TaskRecord): void {
  assert.equal(task.stuck, undefined, `${task.id} is stuck: ${task.stuck?.reason ?? ''}`)
  assert.ok(isEnded(task.state), `${task.id} has not ended: ${task.state}`)
  assert.deepEqual(
    attempts.map(({ number }) => number),
    attempts.map((_, i) => i + 1),
    'attempt numbers are drawn one after the other',
  )
  for (let run = 1; run <= task.run; run += 1) {
    const counted = attempts.filter((attempt) => attempt.run === run && attempt.counted === true)
    assert.ok(counted.length <= MAX_ATTEMPTS, `${counted.length} counted attempts in run ${run}`)
  }
  if (task.state === 'succeeded') {
    assert.equal(task.outcome?.state === 'succeeded' && task.outcome.exit.code, 0)
  }
  for (const attempt of attempts) assert.ok(attempt.releasedAt, `${attempt.unit} is not released`)
}

/** What was found once stays covered. */
const EXAMPLES: [FakeProgram[], Step[]][] = [
  [
    [{ runsMs: 1 }],
    [
      { do: 'drop', unit: 0, how: 'silently' },
      { do: 'cancel', task: 0 },
    ],
  ],
  [
    [{ runsMs: 1, exit: { reason: 'failed', code: 3 } }],
    [{ do: 'drop', unit: 0, how: 'told' }, { do: 'takeOver' }],
  ],
]

describe('the engine, under anything that may happen', function () {
  this.timeout(Number(process.env['SIMULATION_RUNS'] ?? 60) * 2_000)

  it('gives every run exactly one outcome and starts no attempt twice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(program, { minLength: 1, maxLength: 6 }),
        fc.array(step, { maxLength: 40 }),
        async (programs, steps) => {
          await using simulation = await Simulation.open(fixedTypes(TYPE))
          const { scheduler } = simulation
          let lost = false
          // Somebody pushes all the time.
          let pushes = 0
          scheduler.digest = () => `sha256:${(pushes += 1)}`
          scheduler.program = ({ identity }) =>
            programs[(identity.attempt - 1 + identity.taskId.length) % programs.length] ?? {}
          for (const id of ['0', '1', '2']) await simulation.accept('work', id)
          for (const one of steps) {
            await take(simulation, one)
            lost ||= one.do === 'loseNode'
            simulation.check()
            // A copy on a node that was cut off may run until it returns (promise 3).
            if (!lost) runsOnce(simulation)
          }
          heal(simulation)
          simulation.publishing = true
          await simulation.quiesce()
          for (let minute = 0; minute < 60; minute += 1) await simulation.advance(61_000)
          const events = await simulation.events()
          for (const record of await simulation.records()) {
            checkRecord(record)
            const { task } = record
            const of = (...kinds: string[]) =>
              events.filter(
                ({ taskId, name }) => taskId === task.id && kinds.includes(name.slice(14)),
              ).length
            assert.equal(of('succeeded', 'failed', 'cancelled'), task.run, 'one outcome a run')
            assert.equal(of('accepted'), task.run)
            assert.equal(of('exited'), record.attempts.length, 'one exit an attempt')
          }
          runsOneImage(scheduler.taken)
          assert.deepEqual(scheduler.running(), [], 'nothing runs any more')
          assert.deepEqual(await scheduler.list(AbortSignal.timeout(1_000)), [], 'no unit is left')
          assert.equal(
            (await simulation.store.tasks.figures(simulation.clock.now())).outbox.count,
            0,
          )
        },
      ),
      { numRuns: Number(process.env['SIMULATION_RUNS'] ?? 60), examples: EXAMPLES },
    )
  })
})
