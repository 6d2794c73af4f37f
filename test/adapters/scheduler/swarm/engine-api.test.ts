import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { engineApi } from '../../../../adapters/scheduler/swarm/engine-api.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { fakeEngine, json, type Handler } from './fake-engine.ts'

const never = new AbortController().signal

describe('the Engine API', () => {
  it('is asked by the socket alone, whatever DOCKER_HOST says, and without a version', async () => {
    await using engine = await fakeEngine((_request, response) => {
      json(response, 200, [])
    })
    const before = { ...process.env }
    Object.assign(process.env, {
      DOCKER_HOST: 'tcp://127.0.0.1:1',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CLIENT_TIMEOUT: '1',
    })
    try {
      const api = engineApi(engine.socket)
      assert.deepEqual(await api.read('/tasks', never, { filters: '{"a":["b&c"]}' }), [])
      await api.read('/nodes', never)
    } finally {
      process.env = before
    }
    const [tasks = '', nodes] = engine.asked
    assert.equal(new URL(tasks.slice(4), 'http://d').searchParams.get('filters'), '{"a":["b&c"]}')
    assert.equal(nodes, 'GET /nodes')
  })

  it('has no connection written out for the log of docker-modem, which comes before each call', async () => {
    await using engine = await fakeEngine((_request, response) => {
      json(response, 200, [])
    })
    const file = join(import.meta.dirname, '../../../../adapters/scheduler/swarm/engine-api.ts')
    const script = `
      const { engineApi } = await import(${JSON.stringify(file)})
      await engineApi(${JSON.stringify(engine.socket)}).read('/tasks', new AbortController().signal)`
    const env = { ...process.env, DEBUG: 'modem' }
    const args = ['--input-type=module', '--eval', script]
    const { stderr } = await promisify(execFile)(process.execPath, args, { env })
    assert.match(stderr, /Sending: .*\/tasks/s)
    assert.doesNotMatch(stderr, /sockets/)
  })

  it('gives every status as it is, with the engine’s own words', async () => {
    await using engine = await fakeEngine((_request, response) => {
      json(response, 409, { message: 'name conflicts' })
    })
    const answer = await engineApi(engine.socket).call('POST', '/services/create', {
      signal: never,
      body: { Name: 'x' },
      registryAuth: 'e30',
    })
    assert.deepEqual(answer, { status: 409, body: { message: 'name conflicts' } })
  })

  const BROKEN: readonly (readonly [what: string, handler: Handler])[] = [
    [
      'dies in the middle of an answer',
      (_request, response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('[{"ID":', () => response.destroy())
      },
    ],
    [
      'dies before it answers',
      (_request, response) => {
        response.destroy()
      },
    ],
    [
      'answers with an error',
      (_request, response) => {
        json(response, 500, { message: 'The swarm does not have a leader' })
      },
    ],
    [
      'is no manager',
      (_request, response) => {
        json(response, 503, { message: 'This node is not a swarm manager' })
      },
    ],
  ]
  for (const [what, handler] of BROKEN) {
    it(`is unavailable where it ${what}`, async () => {
      await using engine = await fakeEngine(handler)
      await assert.rejects(engineApi(engine.socket).read('/tasks', never), Unavailable)
    })
  }

  it('is unavailable where there is no socket', async () => {
    await assert.rejects(engineApi('/no/such.sock').read('/tasks', never), Unavailable)
  })

  it('is left at once when the signal is aborted, before an answer and within one', async () => {
    const silent: Handler = () => undefined
    const halting: Handler = (_request, response) => {
      response.writeHead(200).write('[')
    }
    for (const handler of [silent, halting]) {
      await using engine = await fakeEngine(handler)
      const given = new AbortController()
      const reading = engineApi(engine.socket).read('/tasks', given.signal)
      setImmediate(() => {
        given.abort()
      })
      await assert.rejects(reading, Unavailable)
    }
  })
})
