import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { Rejected, Unavailable } from '../../src/core/errors.ts'
import { type Harness, rawCall, startHarness } from './harness.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

describe('who may call', () => {
  describe('on loopback without a token', () => {
    let http: Harness
    before(async () => {
      http = await startHarness()
    })
    after(() => http[Symbol.asyncDispose]())

    const withHost = (host: string) => rawCall(http, { path: '/v1/tasks', headers: { host } })

    it('answers requests to loopback names and addresses', async () => {
      for (const host of ['127.0.0.1', 'localhost:8420', 'LOCALHOST', '[::1]:1', '127.9.9.9:80']) {
        assert.equal((await withHost(host)).status, 200, host)
      }
    })

    it('refuses a name that somebody has bound to a loopback address', async () => {
      const hosts = ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1']
      for (const host of hosts) {
        const { status, type, text } = await withHost(host)
        assert.equal(status, 403, host)
        assert.match(type, /problem\+json/)
        assert.equal((JSON.parse(text) as { code: string }).code, 'foreign-host')
      }
      const headers = { host: 'evil.example' }
      assert.equal((await rawCall(http, { path: '/metrics', headers })).status, 403)
      assert.equal((await rawCall(http, { path: '/nothing', headers })).status, 403)
    })

    it('takes bodies only as application/json', async () => {
      const body = JSON.stringify({ type: 'export', input: {} })
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
      ]) {
        const reply = await http.call('POST', '/v1/tasks', body, { 'content-type': type })
        assert.equal(reply.status, 415, type)
        assert.equal(reply.body['code'], 'unsupported-media-type')
      }
      const none = { path: '/v1/tasks', method: 'POST', body }
      assert.equal((await rawCall(http, none)).status, 415)
      const deleted = { path: '/v1/dead-letters/1', method: 'DELETE', body: 'x=1' }
      const asText = { 'content-type': 'text/plain', 'content-length': '3' }
      assert.equal((await rawCall(http, { ...deleted, headers: asText })).status, 415)
      const charset = { 'content-type': 'application/json; charset=utf-8' }
      assert.equal((await http.call('POST', '/v1/tasks', body, charset)).status, 201)
    })

    it("refuses what another origin's page sends without a body", async () => {
      const path = '/v1/tasks/export/1/cancel'
      const post = (origin: string) => http.call('POST', path, undefined, { origin })
      assert.equal((await post('https://evil.example')).body['code'], 'foreign-origin')
      assert.equal((await post('null')).status, 403)
      assert.equal((await post(http.url)).status, 404)
    })

    it('gives no page of another origin leave to read', async () => {
      const { headers } = await http.call('GET', '/v1/tasks', undefined, {
        origin: 'https://evil.example',
      })
      assert.equal(headers.get('access-control-allow-origin'), null)
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      const preflight = await http.call('OPTIONS', '/v1/tasks', undefined, { origin: http.url })
      assert.equal(preflight.status, 404)
    })
  })

  describe('with a token', () => {
    let http: Harness
    before(async () => {
      http = await startHarness({ token: 'correct horse' })
    })
    after(() => http[Symbol.asyncDispose]())

    const withToken = (authorization?: string, path = '/v1/tasks') =>
      http.call('GET', path, undefined, authorization === undefined ? {} : { authorization })

    it('answers whoever bears it, under any host name', async () => {
      assert.equal((await withToken('Bearer correct horse')).status, 200)
      assert.equal((await withToken('bearer correct horse')).status, 200)
      const headers = { host: 'longhaul.example', authorization: 'Bearer correct horse' }
      assert.equal((await rawCall(http, { path: '/v1/tasks', headers })).status, 200)
    })

    it('refuses everybody else, whatever they ask for', async () => {
      const wrong = [undefined, 'Bearer wrong', 'Bearer ', 'Basic correct horse', 'correct horse']
      for (const authorization of wrong) {
        const { status, headers, body } = await withToken(authorization)
        assert.equal(status, 401, authorization)
        assert.match(headers.get('www-authenticate')!, /^Bearer/)
        assert.equal(body['code'], 'unauthorized')
      }
      for (const path of ['/metrics', '/openapi.json', '/v1/events', '/nothing']) {
        assert.equal((await withToken(undefined, path)).status, 401, path)
      }
      const big = 'x'.repeat(100_000)
      assert.equal((await http.call('POST', '/v1/tasks', { big })).status, 401)
    })

    it('answers health checks without it', async () => {
      assert.equal((await withToken(undefined, '/healthz')).status, 200)
      assert.equal((await withToken(undefined, '/readyz')).status, 200)
    })
  })

  it('does not start without a token where others can reach it, nor with an empty one', async () => {
    const listen = { host: '0.0.0.0', port: 0 }
    await assert.rejects(startHarness({ listen }), Rejected)
    await assert.rejects(startHarness({ token: '' }), Rejected)
  })
})

describe('where the server listens', () => {
  it('is said with the port that was bound', async () => {
    await using http = await startHarness()
    assert.equal(http.server.address.host, '127.0.0.1')
    assert.ok(http.server.address.port > 0)
  })

  it('is refused where another process has it, or nobody can', async () => {
    await using http = await startHarness()
    await assert.rejects(startHarness({ listen: http.server.address }), (error) => {
      assert.ok(error instanceof Unavailable)
      return error.code === 'address-in-use' && error.message.includes('127.0.0.1')
    })
    const listen = { host: '192.0.2.1', port: 0 }
    await assert.rejects(startHarness({ listen, token: 't' }), Rejected)
  })
})

describe('what is wrong on the wire', () => {
  let http: Harness
  before(async () => {
    http = await startHarness()
  })
  after(() => http[Symbol.asyncDispose]())

  it('answers calls that there are not with a problem', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/v1/tasks/encode'],
      ['DELETE', '/v1/tasks'],
      ['GET', '/v1/tasks/a/b/c?x=1'],
    ] as const) {
      const { status, headers, body } = await http.call(method, path)
      assert.equal(status, 404)
      assert.match(headers.get('content-type')!, /^application\/problem\+json/)
      assert.equal(body['code'], 'unknown-call')
      assert.doesNotMatch(body['detail'] as string, /\?/)
    }
  })

  it('answers what is no JSON, or no URL, with 400', async () => {
    for (const body of ['{', '{"a":}', '{"__proto__":{}}']) {
      const reply = await http.call('POST', '/v1/tasks', body)
      assert.equal(reply.status, 400, body)
      assert.match(reply.headers.get('content-type')!, /^application\/problem\+json/)
    }
    const { status, type } = await rawCall(http, { path: '/v1/tasks/encode/%zz' })
    assert.equal(status, 400)
    assert.match(type, /problem\+json/)
  })

  it('answers a body of 10 MB with 413, whether its length is said or not', async () => {
    const body = JSON.stringify({ type: 'export', input: { x: 'x'.repeat(10_000_000) } })
    for (const headers of [
      { ...JSON_TYPE, 'content-length': String(body.length) },
      { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
    ]) {
      const { status, text } = await rawCall(http, {
        path: '/v1/tasks',
        method: 'POST',
        headers,
        body,
      })
      assert.equal(status, 413)
      assert.equal((JSON.parse(text) as { code: string }).code, 'body-too-large')
    }
    assert.equal((await http.call('POST', '/v1/tasks', body)).status, 413)
    assert.equal((await http.call('GET', '/healthz')).status, 200)
  })

  it('answers what is no HTTP with a problem and hangs up', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      let text = ''
      const socket = connect(http.server.address.port, '127.0.0.1', () => {
        socket.write('this is no HTTP\r\n\r\n')
      })
      socket.on('data', (chunk) => (text += chunk.toString()))
      socket.on('error', reject)
      socket.on('close', () => {
        resolve(text)
      })
    })
    assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.match(answer, /application\/problem\+json[^]*"status":400/)
  })
})
