import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Unavailable } from '../../src/core/errors.ts'
import { changeOf, found } from '../support/store.ts'
import { anyId, type Harness, startHarness } from './harness.ts'

describe('tasks over HTTP', () => {
  let http: Harness
  before(async () => {
    http = await startHarness()
  })
  after(() => http[Symbol.asyncDispose]())

  const run = (body: unknown, headers?: Record<string, string>) =>
    http.call('POST', '/v1/tasks', body, headers)

  it('accepts a task and says where it is', async () => {
    const { status, body, headers } = await run({
      type: 'encode',
      input: { videoId: 'a/b c' },
      priority: 3,
    })
    assert.equal(status, 201)
    assert.equal(body['id'], 'encode/a/b c')
    assert.equal(body['state'], 'queued')
    assert.equal(body['priority'], 3)
    assert.equal(headers.get('location'), '/v1/tasks/encode/a%2Fb%20c')
    assert.match(headers.get('content-type')!, /^application\/json/)
    const shown = await http.call('GET', headers.get('location')!)
    assert.equal(shown.status, 200)
    assert.deepEqual(shown.body, body)
  })

  it('answers 200 where the id is known with the same input, 409 with another', async () => {
    const input = { videoId: anyId(), quality: 1 }
    assert.equal((await run({ type: 'encode', input })).status, 201)
    const again = await run({ type: 'encode', input })
    assert.equal(again.status, 200)
    assert.ok(again.headers.get('location'))
    const { status, body } = await run({ type: 'encode', input: { ...input, quality: 2 } })
    assert.equal(status, 409)
    assert.equal(body['code'], 'id-conflict')
  })

  it('lets the pointer decide about the id and refuses a different one', async () => {
    const videoId = anyId()
    const same = await run({ type: 'encode', id: videoId, input: { videoId } })
    assert.equal(same.status, 201)
    const { status, body } = await run({ type: 'encode', id: 'x', input: { videoId } })
    assert.equal(status, 422)
    assert.equal((body['errors'] as { code: string }[])[0]!.code, 'id-mismatch')
    const header = await run({ type: 'encode', input: { videoId } }, { 'idempotency-key': 'x' })
    assert.equal(header.status, 200)
  })

  it('takes the id from the body, else from Idempotency-Key, else makes a UUID', async () => {
    const [a, b] = [anyId(), anyId()]
    const key = { 'idempotency-key': a }
    assert.equal((await run({ type: 'export', input: {} }, key)).body['id'], `export/${a}`)
    assert.equal((await run({ type: 'export', input: {} }, key)).status, 200)
    const both = await run({ type: 'export', input: {}, id: b }, key)
    assert.equal(both.body['id'], `export/${b}`)
    const none = await run({ type: 'export', input: {} })
    assert.match(none.body['id'] as string, /^export\/[0-9a-f]{8}-[0-9a-f-]{27}$/)
    assert.equal((await run({ type: 'export', input: {}, id: 42 })).body['id'], 'export/42')
  })

  it('starts no task before notBefore', async () => {
    const notBefore = '2040-01-01T00:00:00.000Z'
    const { body } = await run({ type: 'export', input: {}, notBefore })
    assert.equal(body['dueAt'], notBefore)
  })

  it('answers 404 for an unknown type', async () => {
    const { status, body, headers } = await run({ type: 'nope', input: {} })
    assert.equal(status, 404)
    assert.equal(body['code'], 'unknown-type')
    assert.match(headers.get('content-type')!, /^application\/problem\+json/)
  })

  it('names every mistake of an input', async () => {
    const { status, body } = await run({ type: 'encode', input: { videoId: true, quality: 'x' } })
    assert.equal(status, 422)
    const errors = body['errors'] as { code: string; pointer: string; message: string }[]
    assert.ok(errors.every(({ code, message }) => code !== '' && message !== ''))
    assert.deepEqual(
      errors.filter(({ code }) => code === 'schema').map(({ pointer }) => pointer),
      ['/videoId', '/quality'],
    )
  })

  it('names every mistake of a request', async () => {
    const { status, body } = await run({ input: 7, priority: 1.5, notBefore: 'soon', more: 1 })
    assert.equal(status, 422)
    const errors = body['errors'] as { code: string; pointer: string; message: string }[]
    assert.deepEqual(
      errors.map(({ pointer }) => pointer).sort(),
      ['', '', '/input', '/notBefore', '/priority'].sort(),
    )
    assert.ok(errors.some(({ message }) => message.endsWith(': more')))
    assert.equal((await run(undefined)).status, 422)
    assert.equal((await run('[]')).status, 422)
  })

  it('answers 413 for an input over the limit, with the limit in words', async () => {
    const { status, body } = await run({ type: 'export', input: { x: 'x'.repeat(70_000) } })
    assert.equal(status, 413)
    assert.equal(body['code'], 'input-too-large')
    assert.match(body['detail'] as string, /65536/)
  })

  it('finds a task by whatever id it has', async () => {
    // Dot segments are taken away by every URL parser before anything is sent.
    const ids = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 60 })
      .filter((id) => !/[\p{Cc}\p{Cs}]/u.test(id) && id.length <= 200 && id !== '.' && id !== '..')
    await fc.assert(
      fc.asyncProperty(ids, async (id) => {
        const made = await run({ type: 'export', id, input: {} })
        assert.ok(made.status === 201 || made.status === 200)
        const shown = await http.call('GET', `/v1/tasks/export/${encodeURIComponent(id)}`)
        assert.equal(shown.status, 200)
        assert.equal(shown.body['id'], `export/${id}`)
      }),
      { numRuns: 60, examples: [['%2F'], ['a%252Fb'], ['?#;:@&=+$,'], ['//'], ['x%'], [' . ']] },
    )
    const long = '語'.repeat(200)
    assert.equal((await run({ type: 'export', id: long, input: {} })).status, 201)
    assert.equal((await http.call('GET', `/v1/tasks/export/${long}`)).status, 200)
  })

  it('answers 404 for an unknown task', async () => {
    for (const [method, path] of [
      ['GET', '/v1/tasks/encode/none'],
      ['POST', '/v1/tasks/encode/none/cancel'],
      ['POST', '/v1/tasks/encode/none/redrive'],
      ['GET', '/v1/tasks/encode/none/attempts/1/logs'],
    ] as const) {
      const { status, body } = await http.call(method, path)
      assert.equal(status, 404, path)
      assert.equal(body['code'], 'unknown-task')
    }
  })

  it('cancels a queued task at once and says 200 the second time', async () => {
    const { body } = await run({ type: 'export', input: {} })
    const path = `/v1/tasks/${body['id'] as string}/cancel`
    const first = await http.call('POST', path, { reason: 'not needed', by: 'ada' })
    assert.equal(first.status, 202)
    assert.equal(first.body['state'], 'cancelled')
    const { reason, by } = first.body['outcome'] as Record<string, string>
    assert.deepEqual([reason, by], ['not needed', 'ada'])
    assert.equal((await http.call('POST', path)).status, 200)
  })

  it('takes a cancel without a body, with an empty one, and refuses unknown members', async () => {
    for (const body of [undefined, '', {}]) {
      const task = await run({ type: 'export', input: {} })
      const path = `/v1/tasks/${task.body['id'] as string}/cancel`
      assert.equal((await http.call('POST', path, { because: 1 })).status, 422)
      assert.equal((await http.call('POST', path, body)).status, 202)
    }
  })

  it('answers 202 for a second cancel of a live task, 409 for one that has succeeded', async () => {
    const { body } = await run({ type: 'export', input: {} })
    const id = body['id'] as string
    const { tasks } = http.store
    await tasks.apply(changeOf(await found(http.store, id), { state: 'running', attempt: 1 }))
    const first = await http.call('POST', `/v1/tasks/${id}/cancel`)
    assert.equal(first.status, 202)
    assert.ok(first.body['cancelRequested'])
    assert.equal((await http.call('POST', `/v1/tasks/${id}/cancel`)).status, 202)
    assert.equal((await http.call('POST', `/v1/tasks/${id}/redrive`)).body['code'], 'live')

    const at = new Date()
    const exit = { reason: 'completed', fault: 'none', at } as const
    const outcome = { state: 'succeeded', at, exit, rule: '' } as const
    await tasks.apply(changeOf(await found(http.store, id), { state: 'succeeded', outcome }))
    const ended = await http.call('POST', `/v1/tasks/${id}/cancel`)
    assert.equal(ended.status, 409)
    assert.equal(ended.body['code'], 'ended')
  })

  it('redrives a cancelled task into its next run', async () => {
    const { body } = await run({ type: 'export', input: {} })
    const path = `/v1/tasks/${body['id'] as string}`
    await http.call('POST', `${path}/cancel`)
    const { status, body: task } = await http.call('POST', `${path}/redrive`, { by: 'ada' })
    assert.equal(status, 202)
    assert.equal(task['run'], 2)
    assert.equal(task['state'], 'queued')
    assert.equal((await http.call('POST', `${path}/redrive`)).status, 409)
  })

  it('lists tasks in pages, newest first, by type and state', async () => {
    await using other = await startHarness()
    for (const id of ['1', '2', '3']) {
      await other.call('POST', '/v1/tasks', { type: 'export', id, input: {} })
    }
    await other.call('POST', '/v1/tasks', { type: 'encode', input: { videoId: 1 } })
    const ids = (body: Record<string, unknown>) =>
      (body['tasks'] as { id: string }[]).map(({ id }) => id)
    const unfiltered = await other.call('GET', '/v1/tasks?type=&state=&limit=&cursor=')
    assert.equal(ids(unfiltered.body).length, 4, 'an empty filter is none')
    const first = await other.call('GET', '/v1/tasks?limit=3')
    assert.deepEqual(ids(first.body), ['encode/1', 'export/3', 'export/2'])
    const cursor = first.body['next'] as string
    const second = await other.call('GET', `/v1/tasks?limit=3&cursor=${cursor}`)
    assert.deepEqual(ids(second.body), ['export/1'])
    assert.equal(second.body['next'], undefined)
    const queued = await other.call('GET', '/v1/tasks?type=encode&state=queued')
    assert.deepEqual(ids(queued.body), ['encode/1'])
    assert.deepEqual(ids((await other.call('GET', '/v1/tasks?state=failed')).body), [])
  })

  it('refuses wrong parameters of a list', async () => {
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'state=done', 'cursor=x', 'typ=a']) {
      const { status, body } = await http.call('GET', `/v1/tasks?${query}`)
      assert.equal(status, 422, query)
      assert.equal(body['status'], 422)
    }
  })

  it('answers 503 with Retry-After while the store is away, 500 with nothing of the inside', async () => {
    let thrown: Error = new Unavailable('store', 'the store does not answer')
    await using other = await startHarness(({ tasks }) => ({
      tasks: { ...tasks, find: () => Promise.reject(thrown) },
    }))
    const away = await other.call('GET', '/v1/tasks/encode/1')
    assert.equal(away.status, 503)
    assert.equal(away.body['code'], 'store')
    assert.equal(away.headers.get('retry-after'), '5')
    thrown = new Error('secret at line 3')
    const broken = await other.call('GET', '/v1/tasks/encode/1')
    assert.equal(broken.status, 500)
    assert.doesNotMatch(JSON.stringify(broken.body), /secret|\.ts/)
    assert.deepEqual(other.logger.events.slice(-2), ['http.failed', 'http.failed'])
  })
})
