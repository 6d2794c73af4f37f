import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import {
  nomadApi,
  type NomadApi,
} from '../../../../../adapters/scheduler/nomad/client/nomad-api.ts'
import {
  type NomadSettings,
  targetOf,
} from '../../../../../adapters/scheduler/nomad/client/target.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import { type NomadReplay, nomadReplay } from '../../../../support/nomad-replay.ts'
import { until } from '../../../../support/store.ts'

const never = new AbortController().signal
const TLS = join(import.meta.dirname, '../../../../fixtures/tls')

const apiOf = (settings: Partial<NomadSettings>, env: NodeJS.ProcessEnv = {}) =>
  nomadApi(targetOf({ tls: {}, ...settings }, env))

async function unavailable(work: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Unavailable, String(error))
    assert.match(error.message, message)
    return true
  })
}

describe('the API of Nomad', () => {
  let replay: NomadReplay
  beforeEach(async () => {
    replay = await nomadReplay()
  })
  afterEach(async () => {
    await replay[Symbol.asyncDispose]()
  })

  it('is asked in the namespace and region of the query, with every other word escaped', async () => {
    await using api = apiOf({ address: replay.address, namespace: 'a-b', region: 'eu' })
    replay.on('GET /v1/jobs', { body: [] })
    await api.read('/v1/jobs', never, { filter: 'Meta["x"] == "a&b"', topic: ['A', 'B'] })
    const { searchParams } = new URL(replay.asked[0]!.slice(4), 'http://nomad')
    assert.deepEqual(
      [...searchParams],
      [
        ['namespace', 'a-b'],
        ['region', 'eu'],
        ['filter', 'Meta["x"] == "a&b"'],
        ['topic', 'A'],
        ['topic', 'B'],
      ],
    )
  })

  it('is reached below the path that its address has', async () => {
    await using api = apiOf({ address: `${replay.address}/nomad/` })
    replay.on('GET /nomad/v1/jobs', { body: [] })
    assert.deepEqual(await api.read('/v1/jobs', never), [])
  })

  it('gives status, text and index of an answer as they are', async () => {
    await using api = apiOf({ address: replay.address })
    const text = 'Enforcing job modify index 0: job already exists'
    // The content type says JSON of many an error that is none.
    const headers = { 'content-type': 'application/json', 'x-nomad-index': '42' }
    replay.on('PUT /v1/jobs', { status: 500, body: text, headers })
    const answer = await api.call('PUT', '/v1/jobs', { signal: never, body: { Job: {} } })
    assert.deepEqual(answer, { status: 500, body: text, index: 42 })
  })

  it('sends JSON', async () => {
    await using api = apiOf({ address: replay.address })
    let sent: unknown
    replay.on('PUT /v1/jobs', ({ body, headers }) => {
      sent = [headers['content-type'], body]
      return { body: {} }
    })
    await api.call('PUT', '/v1/jobs', { signal: never, body: { Job: { ID: 'lh-ä€😀' } } })
    assert.deepEqual(sent, ['application/json', { Job: { ID: 'lh-ä€😀' } }])
  })

  it('finds nothing where it answers 404, and is Unavailable where that is an error', async () => {
    await using api = apiOf({ address: replay.address })
    assert.equal(await api.find('/v1/job/lh-1', never), undefined)
    await unavailable(api.read('/v1/jobs', never), /^GET \/v1\/jobs: 404/)
  })

  it('is Unavailable with its own words, of which a denial has a code', async () => {
    await using api = apiOf({ address: replay.address })
    replay.on('GET /v1/jobs', { status: 500, body: 'No cluster leader\n' })
    await unavailable(api.read('/v1/jobs', never), /^GET \/v1\/jobs: 500 No cluster leader$/)
    for (const status of [401, 403]) {
      replay.on('GET /v1/jobs', { status, body: 'Permission denied' })
      await assert.rejects(api.read('/v1/jobs', never), { code: 'nomad-denied' })
    }
  })

  it('is Unavailable where no JSON comes', async () => {
    await using api = apiOf({ address: replay.address })
    replay.on('GET /v1/jobs', { body: '<html>Welcome</html>' })
    await unavailable(api.read('/v1/jobs', never), /no JSON came, but <html>/)
    replay.on('GET /v1/jobs', { body: '[{"ID":"lh-1"},{"ID' })
    await unavailable(api.list('/v1/jobs', never), /no JSON came/)
  })

  it('is Unavailable where an answer breaks off', async () => {
    await using api = apiOf({ address: replay.address })
    replay.streams('/v1/jobs', 'chunked')
    const reading = api.read('/v1/jobs', never)
    reading.catch(() => undefined)
    const stream = await replay.stream()
    await stream.write('[{"ID":')
    stream.destroy()
    await unavailable(reading, /^Nomad: /)
  })

  it('is left when the signal is aborted: before, while it is waited for, and within an answer', async () => {
    await using api = apiOf({ address: replay.address })
    await unavailable(api.read('/v1/jobs', AbortSignal.abort()), /given up/)
    assert.deepEqual(replay.asked, [])
    replay.streams('/v1/jobs', 'chunked')
    for (const [n, begun] of ['', '[{"ID":'].entries()) {
      const given = new AbortController()
      const reading = api.read('/v1/jobs', given.signal)
      reading.catch(() => undefined)
      const stream = await replay.stream(n)
      if (begun !== '') await stream.write(begun)
      given.abort()
      await unavailable(reading, /given up/)
      await until(() => stream.closed, 'its connection is closed')
    }
  })

  it('uses few connections, and nothing that takes long holds up anything else', async () => {
    await using api = apiOf({ address: replay.address })
    replay.streams('/v1/slow', 'chunked')
    const left = new AbortController()
    const { signal } = left
    const stream = (purpose: 'events' | 'logs' | 'tails') =>
      api.stream('/v1/slow', { signal, query: { purpose }, purpose, silenceMs: 9_000 })
    const waiting = Array.from({ length: 40 }, () => [
      stream('logs'),
      stream('tails'),
      api.call('GET', '/v1/slow', { signal }),
    ]).flat()
    for (const one of waiting) one.catch(() => undefined)
    await replay.stream(24 + 6 + 16 - 1)
    await stream('events')
    await stream('events')
    const late = stream('events')
    late.catch(() => undefined)
    // Everything else waits for a connection.
    const asked = (purpose: string) => replay.asked.filter((one) => one.includes(purpose)).length
    assert.deepEqual([asked('=logs'), asked('=tails'), asked('=events')], [24, 6, 2])
    assert.equal(replay.asked.length, 48)
    left.abort()
    await Promise.allSettled([...waiting, late])
  })

  describe('and its token', () => {
    let folder: string
    let sent: (string | undefined)[]
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'longhaul-nomad-'))
      sent = []
      replay.on('GET /v1/jobs', ({ headers }) => {
        sent.push(headers['x-nomad-token'] as string | undefined)
        return { body: [] }
      })
    })
    afterEach(async () => {
      await rm(folder, { recursive: true })
    })

    it('is none, that of the environment, or that of the file, as it is at each call', async () => {
      await using none = apiOf({ address: replay.address })
      await none.read('/v1/jobs', never)
      await using environment = apiOf({ address: replay.address }, { NOMAD_TOKEN: 'of-env' })
      await environment.read('/v1/jobs', never)
      const tokenFile = join(folder, 'token')
      await writeFile(tokenFile, ' first\n')
      await using file = apiOf({ address: replay.address, tokenFile }, { NOMAD_TOKEN: 'of-env' })
      await file.read('/v1/jobs', never)
      await writeFile(tokenFile, 'second')
      await file.read('/v1/jobs', never)
      assert.deepEqual(sent, [undefined, 'of-env', 'first', 'second'])
    })

    it('is the last one that was there while its file is being written', async () => {
      const tokenFile = join(folder, 'token')
      await using api = apiOf({ address: replay.address, tokenFile })
      await writeFile(tokenFile, '')
      await unavailable(api.read('/v1/jobs', never), /is empty/)
      await writeFile(tokenFile, 'first')
      await api.read('/v1/jobs', never)
      await writeFile(tokenFile, '')
      await api.read('/v1/jobs', never)
      assert.deepEqual(sent, ['first', 'first'])
    })

    it('is Unavailable where its file is not there: it may still come', async () => {
      await using api = apiOf({ address: replay.address, tokenFile: join(folder, 'no') })
      await unavailable(api.read('/v1/jobs', never), /the token's file: ENOENT/)
      assert.deepEqual(replay.asked, [])
    })

    it('goes beside a user and a password', async () => {
      let authorization: string | undefined
      replay.on('GET /v1/jobs', ({ headers }) => {
        authorization = headers.authorization
        return { body: [] }
      })
      const env = { NOMAD_HTTP_AUTH: 'user:pass', NOMAD_TOKEN: 't' }
      await using api = apiOf({ address: replay.address }, env)
      await api.read('/v1/jobs', never)
      assert.equal(authorization, `Basic ${Buffer.from('user:pass').toString('base64')}`)
    })
  })

  it('is reached over a Unix socket', async () => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-nomad-'))
    stack.defer(() => rm(folder, { recursive: true }))
    const path = join(folder, 'api.sock')
    await listening(stack, createHttpServer(answering), path)
    const api = stack.use(apiOf({}, { NOMAD_ADDR: `unix://${path}` }))
    assert.deepEqual(await api.read('/v1/jobs', never), [{ ID: '/v1/jobs?namespace=default' }])
    await using gone = apiOf({ address: 'unix:///no/such.sock' })
    await unavailable(gone.read('/v1/jobs', never), /ENOENT \/no\/such\.sock/)
  })

  describe('over TLS', () => {
    const file = (name: string) => join(TLS, name)
    let stack: AsyncDisposableStack
    let folder: string
    let address: string
    let clients: string[]
    beforeEach(async () => {
      stack = new AsyncDisposableStack()
      folder = await mkdtemp(join(tmpdir(), 'longhaul-nomad-'))
      stack.defer(() => rm(folder, { recursive: true }))
      clients = []
      const server = createHttpsServer(
        {
          key: readFileSync(file('server.key')),
          cert: readFileSync(file('server.crt')),
          ca: readFileSync(file('ca.crt')),
          requestCert: true,
          rejectUnauthorized: false,
        },
        (request, response) => {
          const socket = request.socket as unknown as Pick<TLSSocket, 'authorized'>
          clients.push(socket.authorized ? 'known' : 'unknown')
          answering(request, response)
        },
      )
      await listening(stack, server, undefined)
      address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    })
    afterEach(async () => {
      await stack.disposeAsync()
    })
    const opened = (tls: NomadSettings['tls'], env: NodeJS.ProcessEnv = {}): NomadApi =>
      stack.use(apiOf({ address, tls }, env))

    it('is trusted by the authority that the file names, or a folder of them', async () => {
      await unavailable(opened({}).read('/v1/jobs', never), /certificate|issuer/)
      await opened({ caFile: file('ca.crt') }).read('/v1/jobs', never)
      await copyFile(file('ca.crt'), join(folder, 'ca.crt'))
      await opened({}, { NOMAD_CAPATH: folder }).read('/v1/jobs', never)
      await opened({}, { NOMAD_SKIP_VERIFY: '1' }).read('/v1/jobs', never)
      assert.deepEqual(clients, ['unknown', 'unknown', 'unknown'])
    })

    it('is shown the daemon’s own certificate', async () => {
      const own = { certFile: file('client.crt'), keyFile: file('client.key') }
      await opened({ caFile: file('ca.crt'), ...own }).read('/v1/jobs', never)
      assert.deepEqual(clients, ['known'])
    })

    it('must have a certificate for the name that is asked for, and for no other', async () => {
      const asked: unknown[] = []
      const server = createHttpsServer(
        {
          key: readFileSync(file('nomad.key')),
          cert: readFileSync(file('nomad.crt')),
          SNICallback(name, done) {
            asked.push(name)
            done(null)
          },
        },
        answering,
      )
      await listening(stack, server, undefined)
      const at = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
      const reading = (tls: NomadSettings['tls'], env: NodeJS.ProcessEnv = {}) =>
        stack.use(apiOf({ address: at, tls }, env)).read('/v1/jobs', never)
      const caFile = file('nomad.crt')
      await unavailable(reading({ caFile }), /127\.0\.0\.1 is not in the cert/)
      await unavailable(
        reading({ caFile, serverName: 'client.global.nomad' }),
        /client\.global\.nomad.* not in/,
      )
      await reading({ caFile, serverName: 'server.global.nomad' })
      await reading({ caFile }, { NOMAD_TLS_SERVER_NAME: 'server.global.nomad' })
      const name = 'server.global.nomad'
      assert.deepEqual(asked, ['client.global.nomad', name, name])
    })

    it('has its certificates read anew for each connection', async () => {
      const caFile = join(folder, 'ca.crt')
      const api = opened({ caFile })
      await unavailable(api.read('/v1/jobs', never), /ENOENT/)
      await writeFile(caFile, 'not a certificate')
      await unavailable(api.read('/v1/jobs', never), /^Nomad: /)
      await copyFile(file('ca.crt'), caFile)
      await api.read('/v1/jobs', never)
    })
  })
})

const answering: RequestListener = (request, response) => {
  response.end(JSON.stringify([{ ID: request.url }]))
}

async function listening(
  stack: AsyncDisposableStack,
  server: Server,
  path: string | undefined,
): Promise<void> {
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  stack.defer(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
}
