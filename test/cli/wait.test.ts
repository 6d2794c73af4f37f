import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { until } from '../support/store.ts'
import { Cli } from './run-cli.ts'
import {
  COMPLETED,
  eventFrame,
  FAILED,
  type Handler,
  sendJson,
  sendProblem,
  sendReady,
  StubDaemon,
  succeededTask,
  wireTask,
} from './stub-daemon.ts'
import type { WireTask } from '../../src/core/wire.ts'

const AT = '2030-01-01T00:00:09.000Z'

/** A daemon of one task: what it answers is what the test sets. */
class OneTask {
  task: WireTask = wireTask()
  /** The streams of events that are open. */
  readonly streams: ServerResponse[] = []
  readonly handle: Handler = ({ method, url }, response) => {
    if (url.startsWith('/v1/events')) {
      sendReady(response)
      this.streams.push(response)
    } else if (method === 'POST') sendJson(response, 201, this.task)
    else sendJson(response, 200, this.task)
  }

  tell(...frames: string[]): void {
    for (const frame of frames) this.streams.at(-1)!.write(frame)
  }

  get opened(): number {
    return this.streams.length
  }
}

const words = (stdout: string) =>
  stdout
    .split('\n')
    .filter((line) => line.includes('\t'))
    .map((line) => line.split('\t')[2])

describe('waiting for a task', () => {
  let one: OneTask
  let stub: StubDaemon
  beforeEach(async () => {
    one = new OneTask()
    stub = await StubDaemon.start(one.handle)
  })
  afterEach(() => stub[Symbol.asyncDispose]())

  const waiting = (...args: string[]) =>
    new Cli(['task', 'run', 'greet', '--wait', '--url', stub.url, ...args])
  const posted = () =>
    until(() => stub.asked.some(({ method }) => method === 'POST'), 'it has asked', 10_000)

  it('listens before it asks, shows what happens, and exits 0 on success', async () => {
    await using cli = waiting()
    await posted()
    assert.deepEqual(
      stub.asked.map(({ method, url }) => `${method} ${url}`),
      ['GET /v1/events?type=greet', 'POST /v1/tasks'],
    )
    one.tell(
      eventFrame(1, 'accepted'),
      eventFrame(2, 'started', { taskId: 'greet/other', attempt: 1 }),
      eventFrame(3, 'started', { attempt: 1, node: 'n1' }),
      eventFrame(4, 'exited', { attempt: 1, exit: { ...FAILED, at: AT } }),
      eventFrame(5, 'retrying', { attempt: 1, dueAt: AT, rule: 'why' }),
      eventFrame(5, 'retrying', { attempt: 1, dueAt: AT, rule: 'why' }),
      eventFrame(6, 'started', { attempt: 2 }),
      eventFrame(7, 'exited', { attempt: 2, exit: { ...COMPLETED, at: AT } }),
    )
    one.task = succeededTask()
    one.tell(eventFrame(8, 'succeeded'))
    const { code, stdout, stderr } = await cli.ended
    assert.equal(stderr, '')
    assert.equal(code, 0)
    assert.equal(
      stdout,
      [
        '2030-01-01T00:00:01.000Z\tgreet/1\taccepted\taccepted',
        '2030-01-01T00:00:03.000Z\tgreet/1\tstarted\tattempt 1 started on n1',
        '2030-01-01T00:00:04.000Z\tgreet/1\texited\tattempt 1 ended: failed, exit code 3',
        `2030-01-01T00:00:05.000Z\tgreet/1\tretrying\tnext attempt ${AT}; why`,
        '2030-01-01T00:00:06.000Z\tgreet/1\tstarted\tattempt 2 started',
        '2030-01-01T00:00:07.000Z\tgreet/1\texited\tattempt 2 ended: completed',
        '2030-01-01T00:00:09.000Z\tgreet/1\tsucceeded\tsucceeded; default: exit code 0',
        '',
      ].join('\n'),
    )
  })

  it('exits 1 where the task fails, with the end of what it wrote', async () => {
    await using cli = waiting()
    await posted()
    const exit = { ...FAILED, at: AT, logTail: 'what went wrong\n' }
    one.task = wireTask({
      state: 'failed',
      attempts: [{ number: 1, run: 1, state: 'exited', startedAt: AT, exit }],
      outcome: { state: 'failed', at: AT, exit, rule: 'the rule' },
    })
    one.tell(eventFrame(1, 'failed', { exit, rule: 'the rule' }))
    const { code, stdout, stderr } = await cli.ended
    assert.equal(code, 1)
    assert.match(stdout, /failed, exit code 3; the rule\n/)
    assert.match(stdout, / {2}what went wrong\n$/)
    assert.match(stderr, /longhaul task show greet\/1/)
  })

  it('exits 1 where the task is cancelled, and prints the task alone with --json', async () => {
    await using cli = waiting('--json')
    await posted()
    one.task = wireTask({ state: 'cancelled', outcome: { state: 'cancelled', at: AT, by: 'kim' } })
    one.tell(eventFrame(1, 'cancelled', { by: 'kim' }))
    const { code, stdout, stderr } = await cli.ended
    assert.equal(code, 1)
    assert.deepEqual(JSON.parse(stdout), one.task)
    assert.match(stderr, /cancelled by kim/)
  })

  it('goes on over a restart of the daemon from the last event it saw', async () => {
    await using cli = waiting()
    await posted()
    one.tell(eventFrame(40, 'accepted'), eventFrame(41, 'started', { attempt: 1 }))
    await until(() => cli.stdout.includes('started'), 'the start is shown')
    await stub.down()
    await until(() => cli.stderr.includes('Waiting for the daemon'), 'the notice', 10_000)
    one.task = succeededTask()
    await stub.up()
    const { code, stdout, stderr } = await cli.ended
    assert.equal(code, 0)
    assert.deepEqual(words(stdout), ['accepted', 'started', 'exited', 'succeeded'])
    assert.match(stderr, /The daemon is back/)
    assert.equal(stderr.match(/Waiting for the daemon/g)?.length, 1)
    const again = stub.asked.findLast(({ url }) => url.startsWith('/v1/events'))!
    assert.equal(again.url, '/v1/events?task=greet%2F1')
    assert.equal(again.headers['last-event-id'], '41')
    assert.equal(stub.asked.filter(({ method }) => method === 'POST').length, 1)
  })

  it('is told by the events, and by the task where they say nothing', async () => {
    await using cli = waiting()
    await posted()
    one.task = succeededTask()
    // Silence but for a sign of life: the outcome's event is lost.
    one.tell(': still here\n\n')
    const { code, stdout } = await cli.ended
    assert.equal(code, 0)
    assert.deepEqual(words(stdout), ['accepted', 'started', 'exited', 'succeeded'])
  })

  it('asks again with the same key where the daemon goes away before it answers', async () => {
    stub.handle = (asked, response) => {
      if (asked.method !== 'POST') one.handle(asked, response)
      else if (stub.asked.filter(({ method }) => method === 'POST').length === 1) {
        response.socket?.destroy()
        one.streams.at(-1)!.destroy()
      } else sendJson(response, 200, succeededTask())
    }
    await using cli = waiting()
    const { code, stderr } = await cli.ended
    assert.equal(code, 0)
    const keys = stub.asked
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => headers['idempotency-key'])
    assert.equal(keys.length, 2)
    assert.equal(keys[0], keys[1])
    assert.doesNotMatch(stderr, /known already/)
  })

  it('keeps on through a 503, a cut frame and a cursor that is no more, and never loses the end', async () => {
    await using cli = waiting()
    await posted()
    one.tell(eventFrame(6, 'accepted'), eventFrame(7, 'started', { attempt: 1 }))
    await until(() => cli.stdout.includes('started'), 'the start is shown')
    let refusals = 0
    stub.handle = (asked, response) => {
      if (!asked.url.startsWith('/v1/events')) {
        one.handle(asked, response)
        return
      }
      refusals += 1
      if (refusals === 1) sendProblem(response, 503, 'store', 'the store does not answer')
      else if (refusals === 2) sendProblem(response, 422, 'bad-cursor', 'no cursor')
      else one.handle(asked, response)
    }
    one.streams.at(-1)!.write('id: 8\nevent: longhaul/task-exi')
    one.streams.at(-1)!.destroy()
    await until(() => one.opened === 2, 'it is there again', 10_000)
    assert.equal(stub.asked.at(-1)!.headers['last-event-id'], undefined)
    one.task = succeededTask()
    one.tell(eventFrame(9, 'succeeded'))
    const { code, stdout, stderr } = await cli.ended
    assert.equal(code, 0)
    assert.deepEqual(words(stdout), ['accepted', 'started', 'exited', 'succeeded'])
    assert.match(stderr, /have been purged/)
  })

  it('says that a task is stuck and what to do, once, and waits on', async () => {
    await using cli = waiting()
    await posted()
    one.task = wireTask({ state: 'exited', stuck: { since: AT, reason: 'deciding threw' } })
    one.tell(': still here\n\n')
    await until(() => cli.stderr.includes('deciding threw'), 'the notice')
    one.tell(': still here\n\n')
    await until(
      () => stub.asked.filter(({ url }) => url === '/v1/tasks/greet/1').length === 2,
      'it has looked again',
    )
    one.task = succeededTask()
    one.tell(': still here\n\n')
    const { code, stderr } = await cli.ended
    assert.equal(code, 0)
    assert.equal(stderr.match(/deciding threw.*longhaul task redrive greet\/1/g)?.length, 1)
  })

  it('says of a task that was known that nothing new was started', async () => {
    stub.handle = (asked, response) => {
      if (asked.method === 'POST') sendJson(response, 200, succeededTask())
      else one.handle(asked, response)
    }
    await using cli = waiting()
    const { code, stderr } = await cli.ended
    assert.equal(code, 0)
    assert.equal(stderr, 'greet/1 was known already: nothing new was started.\n')
  })

  it('gives up where the daemon refuses', async () => {
    stub.handle = (asked, response) => {
      if (asked.method === 'POST') sendProblem(response, 409, 'id-conflict', 'another input')
      else one.handle(asked, response)
    }
    await using cli = waiting()
    assert.deepEqual(await cli.ended, {
      code: 1,
      stdout: '',
      stderr: 'longhaul: another input\n',
    })
  })

  it('leaves the task running when it is interrupted, says so, and exits 130', async () => {
    await using cli = waiting()
    await posted()
    await until(() => cli.stdout.includes('accepted'), 'it is accepted')
    cli.child.kill('SIGINT')
    const { code, stderr } = await cli.ended
    assert.equal(code, 130)
    assert.match(stderr, /^Interrupted: greet\/1 goes on.*longhaul task show greet\/1\n$/)
  })

  it('can be interrupted while the daemon is away', async () => {
    await using cli = waiting()
    await posted()
    await stub.down()
    await until(() => cli.stderr.includes('Waiting for the daemon'), 'the notice', 10_000)
    cli.child.kill('SIGINT')
    const { code, stderr } = await cli.ended
    assert.equal(code, 130)
    assert.match(stderr, /Interrupted/)
  })
})
