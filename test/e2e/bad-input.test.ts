import assert from 'node:assert/strict'
import { Installation, waitsFor } from '../support/daemon.ts'
import { EventReader } from './event-reader.ts'

const TEN_MB = 'x'.repeat(10_000_000)
const quick = { backoff: { initial: '10ms', max: '20ms' } }

interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly errors?: readonly { readonly code: string; readonly pointer: string }[]
}

describe('bad input', function () {
  this.timeout(30_000)
  let daemon: Installation

  before(async () => {
    daemon = await Installation.make({
      work: {
        command: ['true'],
        'x-task': {
          command: 'bad/work',
          id: '/id',
          input: {
            type: 'object',
            required: ['id', 'source'],
            properties: {
              id: { type: 'string' },
              source: { type: 'string', format: 'uri' },
              size: { type: 'integer', minimum: 1 },
            },
            additionalProperties: false,
          },
        },
      },
      held: { command: waitsFor('held'), 'x-task': { command: 'bad/held', id: '/id' } },
      any: { command: ['true'], 'x-task': {} },
      nocommand: {
        command: ['no-such-program', '--flag'],
        'x-task': { retry: { max_attempts: 2, ...quick } },
      },
      nofile: { command: ['./no-such-file'], 'x-task': { retry: { max_attempts: 1 } } },
      nofolder: {
        command: ['true'],
        working_dir: './not/there',
        'x-task': { retry: { max_attempts: 2, ...quick } },
      },
    })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
  })

  after(() => daemon[Symbol.asyncDispose]())

  /** Still answers, and still runs what is good. */
  async function stillWorks(id: string): Promise<void> {
    await daemon.run('any', id)
    assert.equal((await daemon.ended(`any/${id}`)).outcome?.state, 'succeeded')
  }

  async function refused(path: string, body: unknown, init: RequestInit = {}): Promise<Problem> {
    const response = await daemon.fetch(path, body, init)
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
    const problem = (await response.json()) as Problem
    assert.equal(problem.status, response.status)
    return problem
  }

  const raw = (body: string): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })

  it('is answered 404 where the task type is unknown', async () => {
    const problem = await refused('/v1/tasks', { type: 'nope', input: {} })
    assert.equal(problem.status, 404)
    assert.equal(problem.code, 'unknown-type')
    assert.match(problem.detail, /nope/)
  })

  it('is answered 422 where the command is unknown, or named like an object’s own property', async () => {
    for (const name of ['bad/nope', 'constructor', '__proto__', 'toString', 'longhaul/nope']) {
      const problem = await refused(
        '/v1/messages',
        undefined,
        raw(`{"message":{"$name":"${name}"}}`),
      )
      assert.equal(problem.status, 422, name)
      assert.equal(problem.code, 'unknown-message', name)
    }
    await stillWorks('after-names')
  })

  it('is answered 422 where a message has no name, is null or no object', async () => {
    for (const body of [
      '{"message":{}}',
      '{"message":null}',
      '{"message":[]}',
      'null',
      '[]',
      '1',
    ]) {
      const problem = await refused('/v1/messages', undefined, raw(body))
      assert.equal(problem.status, 422, body)
    }
  })

  it('is answered 400 where the body is no JSON, 415 where it does not say so', async () => {
    for (const path of ['/v1/messages', '/v1/tasks']) {
      assert.equal((await refused(path, undefined, raw('{"type":'))).status, 400)
      const init = { method: 'POST', body: 'type=any', headers: { 'content-type': 'text/plain' } }
      assert.equal((await refused(path, undefined, init)).status, 415)
    }
  })

  it('has every violation of the schema named over HTTP', async () => {
    const input = { id: 'v', source: 'no uri', size: 0, extra: 1 }
    const problem = await refused('/v1/tasks', { type: 'work', input })
    assert.equal(problem.status, 422)
    const pointers = problem.errors?.map(({ pointer }) => pointer)
    assert.deepEqual(pointers?.toSorted(), ['', '/size', '/source'])
    assert.equal((await daemon.fetch('/v1/tasks/work/v')).status, 404)
  })

  it('has every violation of the schema named in the sender’s task-rejected', async () => {
    await using reader = await EventReader.open(daemon, '?name=longhaul/task-rejected')
    const message = { $name: 'bad/work', id: 'v', source: 'no uri', size: 0, extra: 1 }
    const id = await daemon.send(message, { correlationId: 'c-1', stickyAttributes: { flow: 'f' } })
    const event = await reader.find(({ message: { commandId } }) => commandId === id, 'rejected')
    assert.equal(event.correlationId, 'c-1')
    assert.deepEqual(event.stickyAttributes, { flow: 'f' })
    assert.equal(event.message.taskId, undefined)
    const errors = event.message['errors'] as { code: string; pointer: string; message: string }[]
    assert.deepEqual(errors.map(({ pointer }) => pointer).toSorted(), ['', '/size', '/source'])
    assert.ok(errors.every(({ code, message: words }) => code === 'schema' && words !== ''))
    assert.equal((await daemon.fetch('/v1/tasks/work/v')).status, 404)
  })

  it('has bad attributes named together with the violations of the schema', async () => {
    await using reader = await EventReader.open(daemon, '?name=longhaul/task-rejected')
    const attributes = { 'longhaul-priority': 'high', 'longhaul-not-before': 'tomorrow' }
    const id = await daemon.send({ $name: 'bad/work', id: 'w' }, { attributes })
    const event = await reader.find(({ message: { commandId } }) => commandId === id, 'rejected')
    const codes = (event.message['errors'] as { code: string }[]).map(({ code }) => code)
    assert.deepEqual(codes.toSorted(), ['bad-priority', 'bad-time', 'schema'])
  })

  it('does no harm to a healthy task whose id is used again with another input', async () => {
    await daemon.send({ $name: 'bad/held', id: 'h', n: 1 }, { id: 'held-1', correlationId: 'mine' })
    await daemon.inState('held/h', 'running')
    const problem = await refused('/v1/tasks', { type: 'held', input: { id: 'h', n: 2 } })
    assert.equal(problem.status, 409)
    assert.equal(problem.code, 'id-conflict')

    await using reader = await EventReader.open(daemon)
    await daemon.send(
      { $name: 'bad/held', id: 'h', n: 3 },
      { id: 'held-3', correlationId: 'other' },
    )
    const event = await reader.named('longhaul/task-rejected')
    assert.equal(event.message['commandId'], 'held-3')
    assert.equal(event.correlationId, 'other')
    assert.equal(event.message.taskId, undefined)
    const [error] = event.message['errors'] as { code: string }[]
    assert.equal(error?.code, 'id-conflict')

    const task = await daemon.task('held/h')
    assert.equal(task.state, 'running')
    assert.deepEqual(task.input, { id: 'h', n: 1 })
    await daemon.touch('held')
    assert.equal((await daemon.ended('held/h')).outcome?.state, 'succeeded')
    assert.equal((await reader.named('longhaul/task-succeeded')).correlationId, 'mine')
  })

  it('is answered 413 where it is 10 MB, over both doors, and nothing of it is kept', async () => {
    const input = { big: TEN_MB }
    assert.equal((await refused('/v1/tasks', { type: 'any', id: 'big', input })).status, 413)
    const message = { $name: 'bad/held', id: 'big', big: TEN_MB }
    assert.equal((await refused('/v1/messages', { message })).status, 413)
    assert.equal((await daemon.fetch('/v1/tasks/any/big')).status, 404)
    await stillWorks('after-big')
  })

  it('is rejected with its size where a message passes and its input is over the limit', async () => {
    const big = 'x'.repeat(100_000)
    const problem = await refused('/v1/tasks', { type: 'any', id: 'large', input: { big } })
    assert.equal(problem.code, 'input-too-large')
    await using reader = await EventReader.open(daemon, '?name=longhaul/task-rejected')
    const id = await daemon.send({ $name: 'bad/held', id: 'large', big })
    const event = await reader.find(({ message: { commandId } }) => commandId === id, 'rejected')
    const [error] = event.message['errors'] as { code: string; message: string }[]
    assert.equal(error?.code, 'input-too-large')
    assert.match(error.message, /at most 65536/)
  })

  it('ends a task failed, after its retries, whose program does not exist, and names it', async () => {
    await daemon.run('nocommand', '1')
    const task = await daemon.ended('nocommand/1')
    assert.equal(task.outcome?.state, 'failed')
    assert.equal(task.attempts.length, 2)
    for (const { exit, startedAt } of task.attempts) {
      assert.equal(exit?.reason, 'start-failed')
      assert.match(exit.message ?? '', /no-such-program/)
      assert.equal(startedAt, undefined, 'nothing ran')
    }
    await daemon.run('nofile', '1')
    const { outcome } = await daemon.ended('nofile/1')
    assert.equal(outcome?.exit?.reason, 'start-failed')
    assert.match(outcome.exit.message ?? '', /\.\/no-such-file/)
  })

  it('ends a task failed whose working_dir is not there, and names it', async () => {
    await daemon.run('nofolder', '1')
    const task = await daemon.ended('nofolder/1')
    assert.equal(task.attempts.length, 2)
    assert.equal(task.outcome?.state, 'failed')
    assert.equal(task.outcome.exit?.reason, 'start-failed')
    assert.match(task.outcome.exit.message ?? '', /working_dir .*not\/there/)
  })

  it('is refused at every id that cannot be one', async () => {
    for (const id of ['', 'x'.repeat(201), 'a\nb', 1.5, true, null, {}]) {
      const problem = await refused('/v1/tasks', { type: 'any', id, input: {} })
      assert.equal(problem.status, 422, JSON.stringify(id))
    }
    const mismatch = { type: 'work', id: 'other', input: { id: 'one', source: 'file:///x' } }
    assert.equal((await refused('/v1/tasks', mismatch)).status, 422)
  })

  it('is answered 422 where its notBefore is no time', async () => {
    for (const notBefore of ['tomorrow', '2026-13-01T00:00:00Z', '2016-12-31T23:59:60Z', 5]) {
      const problem = await refused('/v1/tasks', { type: 'any', input: {}, notBefore })
      assert.equal(problem.status, 422, String(notBefore))
    }
  })

  it('leaves no dead letter, nothing stuck and no error in the log', async () => {
    const { deadLetters } = await daemon.json<{ deadLetters: unknown[] }>('/v1/dead-letters')
    assert.deepEqual(deadLetters, [])
    assert.ok((await daemon.tasks()).every(({ stuck, outcome }) => !stuck && outcome))
    assert.deepEqual(
      daemon.log.filter(({ level }) => level === 'error'),
      [],
    )
  })
})
