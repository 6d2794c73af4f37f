import assert from 'node:assert/strict'
import type { CheckResult } from '../../src/ports/scheduler-adapter.ts'
import { Unavailable } from '../../src/core/errors.ts'
import { type Harness, startHarness } from './harness.ts'

describe('messages over HTTP', () => {
  let http: Harness
  beforeEach(async () => {
    http = await startHarness()
  })
  afterEach(() => http[Symbol.asyncDispose]())

  const post = (body: unknown) => http.call('POST', '/v1/messages', body)

  it('puts a message on the bus as it is, with its id and attributes', async () => {
    const message = { $name: 'media/encode-video', $version: 2, videoId: 7 }
    const { status, body } = await post({
      message,
      id: 'm-1',
      correlationId: 'c-1',
      attributes: { 'longhaul-priority': 5, last: true },
      stickyAttributes: { workflowId: 'w' },
    })
    assert.equal(status, 202)
    assert.deepEqual(body, { id: 'm-1' })
    const [held] = await http.store.messages.claim(1, 1000)
    assert.equal(held!.id, 'm-1')
    assert.deepEqual(JSON.parse(Buffer.from(held!.body).toString()), message)
    assert.deepEqual(held!.headers, {
      correlationId: 'c-1',
      attributes: '{"longhaul-priority":5,"last":true}',
      stickyAttributes: '{"workflowId":"w"}',
    })
  })

  it('makes an id where there is none', async () => {
    const { body } = await post({ message: { $name: 'longhaul/run-task' } })
    assert.match(body['id'] as string, /^[0-9a-f-]{36}$/)
  })

  it('refuses a name that nothing here handles', async () => {
    for (const $name of ['media/other', 'constructor', 'longhaul/task-exited']) {
      const { status, body } = await post({ message: { $name } })
      assert.equal(status, 422)
      assert.equal(body['code'], 'unknown-message')
    }
  })

  it('refuses what is no message', async () => {
    const $name = 'longhaul/run-task'
    for (const body of [
      {},
      { message: null },
      { message: [] },
      { message: { $name: 7 } },
      { message: { $name: '' } },
      { message: { $name }, attributes: { a: null } },
      { message: { $name }, attributes: { a: {} } },
      { message: { $name }, attributes: { 'a\nb': {} } },
      { message: { $name }, stickyAttributes: { a: [1] } },
      { message: { $name }, id: '' },
      { message: { $name }, id: 'a\nb' },
      { message: { $name }, more: 1 },
    ]) {
      const reply = await post(body)
      assert.equal(reply.status, 422, JSON.stringify(body))
      assert.equal(reply.body['code'], 'invalid')
    }
  })

  it('answers 503 while the broker does not confirm', async () => {
    const transport = {
      post: () => Promise.reject(new Unavailable('broker', 'the broker does not answer')),
      deadLetters: http.transport.deadLetters,
    }
    await using other = await startHarness({ transport })
    const body = { message: { $name: 'longhaul/run-task' } }
    const { status, headers } = await other.call('POST', '/v1/messages', body)
    assert.equal(status, 503)
    assert.ok(headers.get('retry-after'))
  })
})

describe('dead letters over HTTP', () => {
  let http: Harness
  beforeEach(async () => {
    http = await startHarness()
    for (const id of ['a', 'b', 'c']) {
      const body = Buffer.from(JSON.stringify({ $name: 'media/encode-video', id }))
      await http.store.messages.put({ id, body, headers: { attributes: '{}' } })
      const [held] = await http.store.messages.claim(1, 1000)
      const error = { name: 'Error', message: `no ${id}`, stack: 'Error: at x' }
      await http.store.messages.bury(held!.key, error)
    }
  })
  afterEach(() => http[Symbol.asyncDispose]())

  const list = async (query = '') => {
    const { body } = await http.call('GET', `/v1/dead-letters${query}`)
    return body as { deadLetters: { id: string; messageId: string }[]; next?: string }
  }

  it('are listed in pages', async () => {
    const first = await list('?limit=2')
    const second = await list(`?limit=2&cursor=${first.next!}`)
    const ids = [first, second].flatMap((page) =>
      page.deadLetters.map(({ messageId }) => messageId),
    )
    assert.deepEqual(ids.sort(), ['a', 'b', 'c'])
    assert.equal(second.next, undefined)
    assert.equal((await http.call('GET', '/v1/dead-letters?cursor=x')).status, 422)
    assert.equal((await http.call('GET', '/v1/dead-letters?limit=201')).status, 422)
  })

  it('are shown with body, error and tries', async () => {
    const { deadLetters } = await list()
    const { id } = deadLetters.find(({ messageId }) => messageId === 'a')!
    const { status, body } = await http.call('GET', `/v1/dead-letters/${id}`)
    assert.equal(status, 200)
    assert.equal(body['name'], 'media/encode-video')
    assert.equal(body['tries'], 1)
    assert.equal((body['error'] as { message: string }).message, 'no a')
    const data = '{"$name":"media/encode-video","id":"a"}'
    assert.deepEqual(body['body'], { encoding: 'utf8', data })
    assert.ok(!Number.isNaN(Date.parse(body['at'] as string)))
  })

  it('are replayed', async () => {
    const { id } = (await list()).deadLetters[0]!
    assert.equal((await http.call('POST', `/v1/dead-letters/${id}/replay`)).status, 202)
    assert.equal((await list()).deadLetters.length, 2)
    assert.equal((await http.store.messages.claim(10, 1000)).length, 1)
  })

  it('are dropped', async () => {
    const { id } = (await list()).deadLetters[0]!
    assert.equal((await http.call('DELETE', `/v1/dead-letters/${id}`)).status, 204)
    assert.equal((await list()).deadLetters.length, 2)
  })

  it('are 404 where there are none', async () => {
    for (const [method, path] of [
      ['GET', '/v1/dead-letters/nope'],
      ['POST', '/v1/dead-letters/nope/replay'],
      ['DELETE', '/v1/dead-letters/nope'],
      ['GET', '/v1/dead-letters/999999'],
    ] as const) {
      const { status, body } = await http.call(method, path)
      assert.equal(status, 404)
      assert.equal(body['code'], 'unknown-dead-letter')
    }
  })
})

describe('what an operator reads over HTTP', () => {
  let checks: () => Promise<readonly CheckResult[]>
  let http: Harness
  before(async () => {
    http = await startHarness({ ready: () => checks() })
  })
  after(() => http[Symbol.asyncDispose]())

  it('are the task types with their hashes and warnings', async () => {
    const { body } = await http.call('GET', '/v1/task-types')
    const [encode, other] = body['taskTypes'] as Record<string, unknown>[]
    assert.equal(encode!['name'], 'encode')
    assert.equal(encode!['definition'], 'hash-of-encode')
    assert.equal(encode!['command'], 'media/encode-video')
    assert.deepEqual(encode!['warnings'], [])
    assert.equal((encode!['input'] as { type: string }).type, 'object')
    assert.equal(other!['command'], undefined)
    assert.deepEqual(other!['warnings'], ['deploy.placement is not honoured'])
  })

  it('is whether the process lives, and whether all that it needs answers', async () => {
    const ok = { name: 'store', ok: true, message: 'answers' }
    checks = () => Promise.resolve([ok])
    assert.deepEqual((await http.call('GET', '/readyz')).body, { status: 'ready', checks: [ok] })
    const away = { name: 'scheduler', ok: false, message: 'no answer', remedy: 'start it' }
    checks = () => Promise.resolve([ok, away])
    const { status, body, headers } = await http.call('GET', '/readyz')
    assert.equal(status, 503)
    assert.match(headers.get('content-type')!, /problem\+json/)
    assert.deepEqual(body['checks'], [ok, away])
    assert.equal(body['detail'], 'scheduler: no answer')
    checks = () => Promise.reject(new Unavailable('store', 'away'))
    assert.equal((await http.call('GET', '/readyz')).status, 503)
    assert.equal((await http.call('GET', '/healthz')).status, 200)
  })

  it('are the metrics', async () => {
    await http.call('POST', '/v1/tasks', { type: 'export', input: {} })
    const { status, headers, body } = await http.call('GET', '/metrics')
    assert.equal(status, 200)
    assert.match(headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
    assert.match(body['text'] as string, /^longhaul_tasks\{type="export",state="queued"\} 1$/m)
  })
})
