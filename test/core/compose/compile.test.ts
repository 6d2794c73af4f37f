import assert from 'node:assert/strict'
import { compileTaskType } from '../../../src/core/compose/compile.ts'
import { serviceFor } from '../../../src/core/compose/unit.ts'
import { Rejected } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'

const compile = (
  service: JsonObject,
  task: JsonObject = {},
  env: Record<string, string | undefined> = {},
) => {
  const compose = { services: { t: { ...service, 'x-task': task } } }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, env)
}

describe('a definition', () => {
  it('may write its environment as a mapping or a list, and take values from the daemon’s', () => {
    const env = { MINE: 'daemon', OTHER: 'hidden' }
    const expected = { A: 'x=y', N: '1', MINE: 'daemon' }
    const map = { A: 'x=y', N: 1, MINE: null, GONE: null, valueOf: null }
    const list = ['A=x=y', 'N=1', 'MINE', 'GONE', 'valueOf']
    for (const environment of [map, list]) {
      assert.deepEqual(compile({ environment }, {}, env).service.environment, expected)
    }
  })

  it('may write its command as a list, as a string, or leave it to the image', () => {
    assert.deepEqual(compile({ command: ['a', 'b c'] }).service.command, ['a', 'b c'])
    assert.deepEqual(compile({ command: 'a "b c"' }).service.command, ['a', 'b c'])
    assert.equal(compile({ command: null }).service.command, undefined)
    assert.equal(compile({}).service.command, undefined)
  })

  it('runs its command without the image’s entrypoint where it writes an empty one', () => {
    for (const entrypoint of [[], '', ['']]) {
      const { service } = compile({ entrypoint, command: ['tool', '-a'] }, { arguments: ['-b'] })
      assert.deepEqual([service.entrypoint, service.command], [['tool'], ['-a']])
    }
    const alone = compile({ entrypoint: [], command: 'tool' }, { arguments: ['-b'] })
    assert.equal(alone.service.command, undefined)
    const { entrypoint, command } = serviceFor(alone, {})
    assert.deepEqual([entrypoint, command], [['tool'], ['-b']])
  })

  it('is rejected where there is nothing in the place of the image’s entrypoint', () => {
    for (const command of [null, [], '', ['']]) {
      const given = { arguments: [{ from: '/tool' }] }
      assert.throws(
        () => compile({ entrypoint: '${E:-}', command }, given),
        /^Rejected: services\.t\.entrypoint: an empty one takes the image's away: write `command`$/,
      )
    }
  })

  it('is rejected with the place where a variable is missing or makes no sense', () => {
    assert.throws(() => compile({ command: ['$GONE'] }), Rejected)
    const bad = () => compile({}, { deadline: '${D}' }, { D: 'soon' })
    assert.throws(bad, /^Rejected: services\.t\.x-task\.deadline: "soon" is no duration/)
  })

  it('reads a flag that a variable has filled in', () => {
    const rules = [{ when: { exit_code: [1] }, action: 'retry', count: '${COUNT}' }]
    const counted = (COUNT: string) => compile({}, { retry: { rules } }, { COUNT }).retry.rules[0]
    assert.equal(counted('false')?.count, false)
    assert.equal(counted('true')?.count, true)
  })
})

describe('the service of a task', () => {
  const type = compile(
    { command: ['run'], environment: { KEPT: 'k', FROM: 'type' } },
    {
      environment: { FROM: '/a', DEEP: '/b/0/c', GONE: '/none' },
      arguments: ['--a', { from: '/a' }, { from: '/none' }, { from: '/b' }],
    },
  )

  it('has values from the input as whole strings, and none where the input has none', () => {
    const service = serviceFor(type, { a: 'x; $(rm) y', b: [{ c: 5 }] })
    assert.deepEqual(service.environment, { KEPT: 'k', FROM: 'x; $(rm) y', DEEP: '5' })
    assert.deepEqual(service.command, ['run', '--a', 'x; $(rm) y', '[{"c":5}]'])
  })

  it('cannot be given variables by the input', () => {
    const service = serviceFor(type, { a: '${SECRET}', b: [] })
    assert.equal(service.environment['FROM'], '${SECRET}')
  })

  it('has no command where neither the type nor the input gives any', () => {
    assert.equal(serviceFor(compile({ image: 'i' }), {}).command, undefined)
    const appended = compile({ image: 'i' }, { arguments: ['--x'] })
    assert.deepEqual(serviceFor(appended, {}).command, ['--x'])
  })
})
