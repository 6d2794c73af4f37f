import assert from 'node:assert/strict'
import { Installation, type LogLine, shell } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

const CANARY = 'c4n4ry'

/** A task's lines without what differs from run to run. */
function story(daemon: Installation, taskId: string): string[] {
  return daemon.log
    .filter((line) => line['taskId'] === taskId && line.msg.startsWith('task.'))
    .map(({ level, msg, attempt, reason, code }: LogLine) =>
      [level, msg, ...[attempt, reason, code].flatMap((part) => part?.toString() ?? [])].join(' '),
    )
}

describe('the log', function () {
  this.timeout(30_000)

  it('has one line for each transition of a task, in order', async () => {
    await using daemon = await Installation.make({
      flaky: {
        command: shell('[ "$LONGHAUL_ATTEMPT" -gt 1 ] || exit 3'),
        'x-task': { retry: { backoff: { initial: '10ms', max: '10ms' } } },
      },
      hard: {
        command: shell('exit 65'),
        'x-task': { retry: { rules: [{ when: { exit_code: [65] }, action: 'fail' }] } },
      },
    })
    assert.equal(await daemon.start({ LONGHAUL_LOG: 'info' }), 'started')
    await daemon.run('flaky', '1')
    await daemon.run('hard', '1')
    await daemon.run('flaky', 'never', { notBefore: '2999-01-01T00:00:00Z' })
    await daemon.fetch('/v1/tasks/flaky/never/cancel', { reason: 'not wanted', by: 'me' })
    for (const id of ['flaky/1', 'hard/1', 'flaky/never']) await daemon.ended(id)
    assert.equal(await daemon.end(), 0)
    assert.deepEqual(story(daemon, 'flaky/1'), [
      'info task.accepted',
      'info task.started 1',
      'info task.exited 1 failed 3',
      'info task.retrying 1',
      'info task.started 2',
      'info task.exited 2 completed 0',
      'info task.succeeded',
    ])
    assert.deepEqual(story(daemon, 'hard/1'), [
      'info task.accepted',
      'info task.started 1',
      'info task.exited 1 failed 65',
      'warn task.failed failed 65',
    ])
    assert.deepEqual(story(daemon, 'flaky/never'), [
      'info task.accepted',
      'info task.cancelled not wanted',
    ])
    assert.ok(daemon.log.every(({ level }) => level !== 'debug'))
    assert.deepEqual(
      daemon.log.filter(({ msg }) => msg.startsWith('daemon.')).map(({ msg }) => msg),
      ['daemon.started', 'daemon.stopping', 'daemon.stopped'],
    )
  })

  it('says more at LONGHAUL_LOG=debug and only what is wrong at warn', async () => {
    await using daemon = await Installation.make({ quick: { command: ['true'], 'x-task': {} } })
    assert.equal(await daemon.start({ LONGHAUL_LOG: 'debug' }), 'started')
    assert.ok(daemon.log.some(({ level }) => level === 'debug'))
    await daemon.end()
    const from = daemon.lines.length
    const started = daemon.start({ LONGHAUL_LOG: 'warn' })
    await until(
      () =>
        daemon.fetch('/readyz').then(
          ({ ok }) => ok,
          () => false,
        ),
      'it is ready without a word',
      15_000,
    )
    await daemon.run('quick', '1')
    await daemon.ended('quick/1')
    assert.equal(await daemon.end(), 0)
    assert.equal(await started, 0)
    assert.deepEqual(daemon.lines.slice(from), [])
  })

  it('and the longhaul events hold no input, no environment and no message’s body', async () => {
    await using daemon = await Installation.make({
      secret: {
        command: shell('echo fine; [ "$FAIL" = no ]'),
        environment: { TOKEN: '${TEST_TOKEN}', FIXED: `${CANARY}-fixed` },
        'x-task': {
          command: 'log/secret',
          id: '/id',
          input: {
            type: 'object',
            required: ['id', 'password'],
            properties: {
              password: { type: 'string', maxLength: 30 },
              fail: { enum: ['no', 'yes'] },
            },
          },
          environment: { PASSWORD: '/password', FAIL: '/fail' },
          arguments: [{ from: '/password' }],
          retry: { max_attempts: 2, backoff: { initial: '10ms', max: '10ms' } },
        },
      },
      gone: {
        command: ['no-such-program'],
        environment: { FIXED: `${CANARY}-fixed` },
        'x-task': { arguments: [{ from: '/password' }], retry: { max_attempts: 1 } },
      },
    })
    assert.equal(await daemon.start({ TEST_TOKEN: `${CANARY}-variable` }), 'started')
    await using reader = await EventReader.open(daemon)
    const password = `${CANARY}-input`
    const $name = 'log/secret'
    for (const fail of ['no', 'yes']) await daemon.send({ $name, id: fail, password, fail })
    await daemon.run('gone', '1', { input: { password } })
    for (const id of ['secret/no', 'secret/yes', 'gone/1']) await daemon.ended(id)
    // And whatever may be refused: by its schema, as a conflict, for a name, for its form.
    await daemon.send({ $name, id: 'no', password: `${password}-other`, fail: 'no' })
    await daemon.send({ $name, id: 'x', password: `${password}-${'x'.repeat(40)}`, fail: password })
    await daemon.send({ $name: 'longhaul/run-task', taskType: 'none', input: { password } })
    await daemon.fetch('/v1/messages', { message: { $name: 'log/none', password } })
    await daemon.fetch(`/v1/tasks?password=${password}`)
    await daemon.fetch('/v1/tasks', undefined, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"password": ${password}`,
    })
    await daemon.logged(({ msg }) => msg === 'message.retrying', 'the unknown type is met')
    const rejected = () => reader.names.filter((name) => name === 'longhaul/task-rejected').length
    await until(() => rejected() === 2, 'both are rejected')
    assert.equal(await daemon.end(), 0)
    const lines = daemon.lines.filter((line) => line.includes(CANARY))
    assert.deepEqual(lines, [])
    const told = reader.events.filter((event) => JSON.stringify(event).includes(CANARY))
    assert.deepEqual(told, [])
    assert.ok(reader.events.length >= 12)
  })
})
