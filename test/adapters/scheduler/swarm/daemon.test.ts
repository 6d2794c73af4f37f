import assert from 'node:assert/strict'
import { Installation, shell } from '../../../support/daemon.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { until } from '../../../support/store.ts'
import { TASK_IMAGE } from '../../../support/task-image.ts'

const LIMIT_MS = 60_000
const image = TASK_IMAGE
const retry = { max_attempts: 2, backoff: { initial: '100ms', jitter: 'none' } }
/** As process 1 a shell without a handler would not heed its stop signal. */
const SLEEPS = 'trap "exit 143" TERM; echo here; sleep 1000 & wait'

describe('a daemon on a real swarm', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()

  const make = (types: Readonly<Record<string, object>>) =>
    Installation.make(types, { scheduler: { kind: 'swarm', socket: dockerd().socket } })

  /** Everything that tasks have left in the swarm. */
  const left = async (type: string) =>
    (await dockerd().docker('service', 'ls', '-q', '--filter', `label=longhaul.task-type=${type}`))
      .split('\n')
      .filter(Boolean)

  it('runs a task to its success, with its input, and removes its service', async () => {
    const command = shell('echo "$SOURCE and $1 in $LONGHAUL_ATTEMPT"; echo "$LONGHAUL_INPUT"')
    await using daemon = await make({
      good: {
        image,
        command: [...command, 'sh'],
        'x-task': {
          input: { type: 'object' },
          environment: { SOURCE: '/source' },
          arguments: [{ from: '/source' }],
        },
      },
    })
    assert.equal(await daemon.start(), 'started')
    const source = '{{.Node.ID}} "$(x)"'
    await daemon.run('good', '1', { input: { source } })
    const task = await daemon.ended('good/1', LIMIT_MS)
    assert.equal(task.outcome?.state, 'succeeded')
    assert.equal(task.attempts.length, 1)
    const said = `${source} and ${source} in 1\n${JSON.stringify({ source })}\n`
    assert.equal(task.attempts[0]?.exit?.logTail, said)
    await until(async () => (await left('good')).length === 0, 'its service is removed', LIMIT_MS)
    assert.equal(await daemon.output('good/1'), said)
  })

  it('runs what fails again, and tells every exit with the end of its output', async () => {
    await using daemon = await make({
      bad: { image, command: shell('echo no; exit 3'), 'x-task': { retry } },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('bad', '1')
    const { outcome, attempts } = await daemon.ended('bad/1', LIMIT_MS)
    assert.equal(outcome?.state, 'failed')
    assert.deepEqual(
      attempts.map(({ exit }) => [exit?.reason, exit?.code, exit?.logTail]),
      [
        ['failed', 3, 'no\n'],
        ['failed', 3, 'no\n'],
      ],
    )
    for (const service of await left('bad')) await dockerd().docker('service', 'rm', service)
  })

  it('cancels what runs, and keeps the end of its output', async () => {
    await using daemon = await make({ long: { image, command: shell(SLEEPS), 'x-task': {} } })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('long', '1')
    await daemon.when('long/1', ({ state }) => state === 'running', 'runs', LIMIT_MS)
    await until(async () => (await daemon.output('long/1')) === 'here\n', 'it speaks', LIMIT_MS)
    await daemon.fetch('/v1/tasks/long/1/cancel', { reason: 'enough' })
    const { outcome, attempts } = await daemon.ended('long/1', LIMIT_MS)
    assert.equal(outcome?.state, 'cancelled')
    assert.equal(attempts[0]?.exit?.logTail, 'here\n')
    await until(async () => (await left('long')).length === 0, 'its service is gone', LIMIT_MS)
  })

  it('finds what went on and what ended while it was dead, and runs nothing twice', async () => {
    await using daemon = await make({
      short: { image, command: shell('sleep 2; echo ended'), 'x-task': {} },
      long: { image, command: shell(SLEEPS), 'x-task': {} },
    })
    assert.equal(await daemon.start(), 'started')
    for (const type of ['short', 'long']) {
      await daemon.run(type, '1')
      await daemon.when(`${type}/1`, ({ state }) => state === 'running', 'runs', LIMIT_MS)
    }
    await daemon.end('SIGKILL')
    const over = async () => (await dockerd().docker('ps', '-aq', '--filter', 'exited=0')) !== ''
    await until(over, 'the short one has ended', LIMIT_MS)
    assert.equal(await daemon.start(), 'started')
    const short = await daemon.ended('short/1', LIMIT_MS)
    assert.equal(short.outcome?.state, 'succeeded')
    assert.equal(short.attempts[0]?.exit?.logTail, 'ended\n')
    const long = await daemon.task('long/1')
    assert.deepEqual([long.state, long.attempts.length], ['running', 1])
    await daemon.fetch('/v1/tasks/long/1/cancel', {})
    assert.equal((await daemon.ended('long/1', LIMIT_MS)).outcome?.state, 'cancelled')
  })

  it('tells a service that somebody has removed as removed or lost, and runs it again', async () => {
    await using daemon = await make({
      taken: { image, command: shell(SLEEPS), 'x-task': { retry } },
    })
    assert.equal(await daemon.start(), 'started')
    await daemon.run('taken', '1')
    await daemon.when('taken/1', ({ state }) => state === 'running', 'runs', LIMIT_MS)
    for (const service of await left('taken')) await dockerd().docker('service', 'rm', service)
    const second = await daemon.when(
      'taken/1',
      ({ attempts }) => attempts[1]?.state === 'running',
      'runs again',
      LIMIT_MS,
    )
    const reason = second.attempts[0]?.exit?.reason ?? ''
    assert(['removed', 'lost'].includes(reason), reason)
    await daemon.fetch('/v1/tasks/taken/1/cancel', {})
    await daemon.ended('taken/1', LIMIT_MS)
  })

  it('watches by the control socket where it has one, and by listing where that fails', async () => {
    const { socket, execRoot } = dockerd()
    for (const [control_socket, by] of [
      [`${execRoot}/swarm`, 'control'],
      [`${execRoot}/no-such`, 'listing'],
    ] as const) {
      const scheduler = { kind: 'swarm', socket, control_socket }
      const types = { one: { image, command: shell('exit 0'), 'x-task': {} } }
      await using daemon = await Installation.make(types, { scheduler })
      assert.equal(await daemon.start(), 'started')
      await daemon.logged((line) => line['by'] === by, `it watches by ${by}`, { limitMs: LIMIT_MS })
      await daemon.run('one', '1')
      assert.equal((await daemon.ended('one/1', LIMIT_MS)).outcome?.state, 'succeeded')
    }
  })

  it('is ready while its swarm answers', async () => {
    await using daemon = await make({})
    assert.equal(await daemon.start(), 'started')
    await until(async () => (await daemon.fetch('/readyz')).status === 200, 'it is ready', LIMIT_MS)
  })
})
