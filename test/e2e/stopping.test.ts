import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { commandOf, Installation, shell } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

const soon = { backoff: { initial: '10ms', max: '10ms' } }
/** Writes its pid down, and ends by itself only once its unit is gone. */
const endless = (name: string) =>
  `echo $$ >../../../../pid-${name}; while [ -e ../log ]; do sleep 0.05; done`

describe('stopping', function () {
  this.timeout(30_000)
  let daemon: Installation

  before(async () => {
    daemon = await Installation.make({
      kind: {
        command: shell(`trap 'echo asked; exit 0' USR1; ${endless('kind')}`),
        stop_signal: 'SIGUSR1',
        'x-task': {},
      },
      deaf: {
        command: shell(`trap '' TERM; ${endless('deaf')}`),
        stop_grace_period: '300ms',
        'x-task': {},
      },
      parent: {
        command: shell(
          'sh -c "while [ -e ../log ]; do sleep 0.05; done" & echo $! >../../../../child; wait',
        ),
        'x-task': {},
      },
      slow: {
        command: shell(endless('slow')),
        'x-task': { attempt_timeout: '300ms', retry: { max_attempts: 2, ...soon } },
      },
      late: { command: shell(endless('late')), 'x-task': { deadline: '500ms' } },
      failing: {
        command: ['false'],
        'x-task': { retry: { backoff: { initial: '1h', max: '1h', jitter: 'none' } } },
      },
      mended: {
        command: shell(
          'echo "run $LONGHAUL_RUN attempt $LONGHAUL_ATTEMPT"; [ -e ../../../../mended ]',
        ),
        'x-task': {
          retry: { max_attempts: 2, ...soon },
          events: { succeeded: 'stop/mended', failed: 'stop/not-mended' },
        },
      },
      victim: { command: shell(endless('victim')), 'x-task': { retry: { max_attempts: 1 } } },
    })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
  })

  after(() => daemon[Symbol.asyncDispose]())

  const cancel = (id: string, body: object = {}) => daemon.fetch(`/v1/tasks/${id}/cancel`, body)

  async function written(file: string): Promise<number> {
    let pid = 0
    await until(async () => {
      pid = Number(await readFile(join(daemon.folder, file), 'utf8').catch(() => ''))
      return pid > 0
    }, `${file} is written`)
    return pid
  }

  it('a running task sends its stop signal and tells by whom and why', async () => {
    await using reader = await EventReader.open(daemon, '?task=kind/1')
    await daemon.run('kind', '1')
    await daemon.inState('kind/1', 'running')
    await written('pid-kind')
    const response = await cancel('kind/1', { reason: 'changed our mind', by: 'ops' })
    assert.equal(response.status, 202)
    const task = await daemon.ended('kind/1')
    assert.equal(task.outcome?.state, 'cancelled')
    assert.equal(task.outcome.by, 'ops')
    assert.equal(task.outcome.reason, 'changed our mind')
    assert.equal(task.attempts[0]?.exit?.reason, 'cancelled')
    assert.match(task.attempts[0].exit.logTail ?? '', /asked/)
    assert.equal((await cancel('kind/1')).status, 200, 'again: it is so already')
    const event = await reader.named('longhaul/task-cancelled')
    assert.equal(event.message['reason'], 'changed our mind')
    assert.equal(event.message['by'], 'ops')
    assert.deepEqual(
      reader.names.map((name) => name.replace('longhaul/task-', '')),
      ['accepted', 'started', 'exited', 'cancelled'],
    )
  })

  it('a program that does not listen kills it after its grace', async () => {
    await daemon.run('deaf', '1')
    await daemon.inState('deaf/1', 'running')
    await written('pid-deaf')
    await cancel('deaf/1')
    const { outcome, attempts, cancelRequested } = await daemon.ended('deaf/1')
    assert.equal(outcome?.state, 'cancelled')
    const tookMs = Date.parse(outcome.at) - Date.parse(cancelRequested?.at ?? '')
    assert.ok(tookMs >= 300, `${tookMs} ms`)
    assert.equal(attempts[0]?.exit?.reason, 'cancelled')
  })

  it('kills what a program has started, too', async () => {
    await daemon.run('parent', '1')
    const child = await written('child')
    // Between its fork and its exec it has none.
    await until(async () => (await commandOf(child)).includes('while'), 'the grandchild runs')
    await cancel('parent/1')
    assert.equal((await daemon.ended('parent/1')).outcome?.state, 'cancelled')
    await until(async () => (await commandOf(child)) === '', 'the grandchild is gone')
  })

  it('a queued task cancels it at once, a retry that waits too, and an ended one is refused', async () => {
    await daemon.run('failing', 'queued', { notBefore: '2999-01-01T00:00:00Z' })
    const response = await cancel('failing/queued')
    assert.equal(response.status, 202)
    assert.equal(((await response.json()) as { state: string }).state, 'cancelled')
    assert.deepEqual((await daemon.task('failing/queued')).attempts, [])

    await daemon.run('failing', 'waits')
    await daemon.when(
      'failing/waits',
      ({ state, attempts }) => state === 'queued' && attempts.length === 1,
      'waits for its retry',
    )
    assert.equal((await cancel('failing/waits')).status, 202)
    const { outcome, attempts } = await daemon.ended('failing/waits')
    assert.equal(outcome?.state, 'cancelled')
    assert.equal(attempts[0]?.exit?.code, 1)

    await daemon.touch('mended')
    await daemon.run('mended', 'ended')
    await daemon.ended('mended/ended')
    assert.equal((await cancel('mended/ended')).status, 409)
    assert.equal((await cancel('mended/nothing')).status, 404)
  })

  it('ends an attempt at its attempt_timeout, and tries again', async () => {
    await daemon.run('slow', '1')
    const { outcome, attempts } = await daemon.ended('slow/1')
    assert.equal(outcome?.state, 'failed')
    assert.deepEqual(
      attempts.map(({ exit }) => [exit?.reason, exit?.fault]),
      [
        ['attempt-timeout', 'task'],
        ['attempt-timeout', 'task'],
      ],
    )
    assert.deepEqual(await runningOf('slow/1'), [])
  })

  it('ends a run at its deadline, with an attempt and without', async () => {
    await daemon.run('late', '1')
    const late = await daemon.ended('late/1')
    assert.equal(late.outcome?.state, 'failed')
    assert.equal(late.outcome.exit?.reason, 'deadline')
    assert.equal(late.attempts.length, 1)
    assert.equal(late.attempts[0]?.exit?.reason, 'deadline')

    const file = {
      command: shell(endless('crowded')),
      'x-task': { deadline: '300ms', concurrency: { limit: 1 } },
    }
    await daemon.writeType('crowded', { ...file, 'x-task': { concurrency: { limit: 1 } } })
    daemon.signal('SIGHUP')
    await daemon.logged(({ changes }) => JSON.stringify(changes) === '["+crowded"]', 'it is there')
    await daemon.run('crowded', 'first')
    await daemon.inState('crowded/first', 'running')
    await daemon.writeType('crowded', file)
    daemon.signal('SIGHUP')
    await daemon.logged(
      ({ changes }) => JSON.stringify(changes) === '["~crowded"]',
      'it is changed',
    )
    await daemon.run('crowded', 'second')
    const second = await daemon.ended('crowded/second')
    assert.equal(second.outcome?.state, 'failed')
    assert.equal(second.outcome.exit?.reason, 'deadline')
    assert.deepEqual(second.attempts, [])
    await cancel('crowded/first')
    await daemon.ended('crowded/first')
  })

  it('runs a failed task again when it is redriven, as run 2, with attempt numbers going on', async () => {
    await using reader = await EventReader.open(daemon, '?task=mended/1')
    await rm(join(daemon.folder, 'mended'), { force: true })
    await daemon.run('mended', '1', { input: { order: 7 } })
    assert.equal((await daemon.ended('mended/1')).outcome?.state, 'failed')
    await daemon.touch('mended')
    const redriven = await daemon.fetch('/v1/tasks/mended/1/redrive', { by: 'ops' })
    assert.equal(redriven.status, 202)
    assert.equal(((await redriven.json()) as { run: number }).run, 2)
    const task = await daemon.ended('mended/1')
    assert.equal(task.outcome?.state, 'succeeded')
    assert.deepEqual(
      task.attempts.map(({ number, run }) => [number, run]),
      [
        [1, 1],
        [2, 1],
        [3, 2],
      ],
    )
    assert.equal(await daemon.output('mended/1', 3), 'run 2 attempt 3\n')
    const own = await reader.named('stop/mended')
    assert.equal(own.message['run'], 2)
    assert.deepEqual(own.message['input'], { order: 7 })
    const failed = await reader.named('stop/not-mended')
    assert.equal((failed.message['attempts'] as unknown[]).length, 2, 'every attempt of its run')
    assert.deepEqual(
      reader.events
        .filter(({ name }) => name.startsWith('longhaul/'))
        .map(
          ({ name, message: { run } }) => `${String(run)} ${name.replace('longhaul/task-', '')}`,
        ),
      [
        ...[
          '1 accepted',
          '1 started',
          '1 exited',
          '1 retrying',
          '1 started',
          '1 exited',
          '1 failed',
        ],
        ...['2 accepted', '2 started', '2 exited', '2 succeeded'],
      ],
    )
    assert.equal((await daemon.fetch('/v1/tasks/mended/1/redrive', {})).status, 409)
  })

  it('takes a program that somebody kills for killed', async () => {
    await daemon.run('victim', '1')
    process.kill(await written('pid-victim'), 'SIGKILL')
    const { outcome } = await daemon.ended('victim/1')
    assert.equal(outcome?.state, 'failed')
    assert.equal(outcome.exit?.reason, 'killed')
    assert.equal(outcome.exit.signal, 'SIGKILL')
    assert.equal(outcome.exit.fault, 'task')
  })

  /** Processes of the task that are still there. */
  async function runningOf(taskId: string): Promise<number[]> {
    const groups = await daemon.groups()
    const found = await Promise.all(
      groups.map(async (pid) =>
        (await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')).includes(
          `LONGHAUL_TASK_ID=${taskId}\0`,
        ),
      ),
    )
    return groups.filter((_, index) => found[index])
  }
})
