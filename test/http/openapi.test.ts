import assert from 'node:assert/strict'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { found, startedTask } from '../support/store.ts'
import { type Harness, REAL_CLOCK, startHarness } from './harness.ts'

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly security?: unknown
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: object }[]
  readonly requestBody?: { required: boolean; content: Record<string, { schema: object }> }
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>
}

interface Document {
  readonly openapi: string
  readonly info: { title: string; version: string }
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { schemas: Record<string, object> }
  readonly security?: unknown
}

const CALLS = [
  'POST /v1/tasks',
  'GET /v1/tasks',
  'GET /v1/tasks/{type}/{id}',
  'POST /v1/tasks/{type}/{id}/cancel',
  'POST /v1/tasks/{type}/{id}/redrive',
  'GET /v1/tasks/{type}/{id}/attempts/{n}/logs',
  'GET /v1/task-types',
  'POST /v1/messages',
  'GET /v1/events',
  'GET /v1/dead-letters',
  'GET /v1/dead-letters/{id}',
  'POST /v1/dead-letters/{id}/replay',
  'DELETE /v1/dead-letters/{id}',
  'GET /metrics',
  'GET /healthz',
  'GET /readyz',
  'GET /openapi.json',
]

describe('the OpenAPI document', () => {
  let http: Harness
  let document: Document
  before(async () => {
    http = await startHarness()
    const { status, body } = await http.call('GET', '/openapi.json')
    assert.equal(status, 200)
    document = body as unknown as Document
  })
  after(() => http[Symbol.asyncDispose]())

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        call: `${method.toUpperCase()} ${path}`,
        path,
        operation,
      })),
    )

  /** Validates against a part of the document, named by the place where it stands. */
  function validatorOf(pointer: string) {
    const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false })
    addFormats.default(ajv)
    for (const word of ['openapi', 'info', 'paths', 'components', 'security']) ajv.addKeyword(word)
    ajv.addSchema(document, 'https://longhaul.test/openapi.json')
    return ajv.compile({ $ref: `https://longhaul.test/openapi.json#${pointer}` })
  }

  function conforms(call: string, status: number, value: unknown, type = 'application/json') {
    const [method = '', path = ''] = call.split(' ')
    const place = ['paths', path, method.toLowerCase(), 'responses', `${status}`, 'content', type]
    const validate = validatorOf(
      `/${[...place, 'schema'].map((key) => encodeURIComponent(key.replaceAll('/', '~1'))).join('/')}`,
    )
    assert.ok(validate(value), `${call} ${status}: ${JSON.stringify(validate.errors)}`)
  }

  it('is OpenAPI 3.1 of this release', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/)
    assert.equal(document.info.version, '1.2.3')
  })

  it('has every call of the contract and no other', () => {
    assert.deepEqual(
      operations()
        .map(({ call }) => call)
        .sort(),
      [...CALLS].sort(),
    )
  })

  it('describes each call: its parameters, its answers, and what goes wrong', () => {
    const names = operations().map(({ operation }) => operation.operationId)
    assert.equal(new Set(names).size, names.length)
    for (const { call, path, operation } of operations()) {
      assert.ok(operation.summary.length > 3, call)
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = operation.parameters.filter((parameter) => parameter.in === 'path')
      assert.deepEqual(
        declared.map(({ name }) => name),
        inPath,
        call,
      )
      assert.ok(declared.every(({ required }) => required))
      assert.ok(Object.keys(operation.responses).some((status) => status.startsWith('2')))
      assert.ok('default' in operation.responses)
    }
  })

  it('holds only schemas that compile, and references that lead somewhere', () => {
    for (const name of Object.keys(document.components.schemas)) {
      validatorOf(`/components/schemas/${name}`)
    }
    const text = JSON.stringify(document)
    for (const [, reference = ''] of text.matchAll(/"\$ref":"#([^"]+)"/g)) {
      let at: unknown = document
      for (const key of reference.slice(1).split('/')) at = (at as Record<string, unknown>)[key]
      assert.ok(at, reference)
    }
    for (const { operation } of operations()) {
      const schemas = [
        ...operation.parameters.map(({ schema }) => schema),
        ...Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => schema),
        ...Object.values(operation.responses).flatMap(({ content = {} }) =>
          Object.values(content).map(({ schema }) => schema),
        ),
      ]
      for (const schema of schemas) assert.equal(typeof schema, 'object')
    }
    assert.match(text, /"tasks":\{"type":"array","items":\{"\$ref":"#\/components\/schemas\/Task"/)
  })

  it('describes the answers as they are', async () => {
    const made = await http.call('POST', '/v1/tasks', { type: 'encode', input: { videoId: 1 } })
    conforms('POST /v1/tasks', 201, made.body)
    const at = new Date()
    const exit = { reason: 'failed', fault: 'task', code: 1, at, logTail: 'x' } as const
    const ended = { state: 'exited', exit, exitedAt: at } as const
    const { task } = await startedTask(http.store, REAL_CLOCK, '2', {}, ended)
    await found(http.store, task.id)
    const shown = await http.call('GET', '/v1/tasks/encode/2')
    conforms('GET /v1/tasks/{type}/{id}', 200, shown.body)
    conforms('GET /v1/tasks', 200, (await http.call('GET', '/v1/tasks')).body)
    const cancelled = await http.call('POST', '/v1/tasks/encode/1/cancel', { reason: 'r' })
    conforms('POST /v1/tasks/{type}/{id}/cancel', 202, cancelled.body)
    conforms('GET /v1/task-types', 200, (await http.call('GET', '/v1/task-types')).body)
    conforms('GET /v1/dead-letters', 200, (await http.call('GET', '/v1/dead-letters')).body)
    conforms('GET /readyz', 200, (await http.call('GET', '/readyz')).body)
    conforms('GET /healthz', 200, (await http.call('GET', '/healthz')).body)
    const wrong = await http.call('POST', '/v1/tasks', { type: 'encode', input: {} })
    conforms('POST /v1/tasks', 422, wrong.body, 'application/problem+json')
  })

  it('asks for a token where the server does', async () => {
    assert.equal(document.security, undefined)
    await using secured = await startHarness({ token: 't' })
    const headers = { authorization: 'Bearer t' }
    const { body } = await secured.call('GET', '/openapi.json', undefined, headers)
    const { security, paths } = body as unknown as Document
    assert.deepEqual(security, [{ token: [] }])
    assert.deepEqual(paths['/healthz']!['get']!.security, [])
    assert.equal(paths['/metrics']!['get']!.security, undefined)
  })
})
