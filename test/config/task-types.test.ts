import assert from 'node:assert/strict'
import { join } from 'node:path'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { exampleFile, folderOf, mistakes, ROOT } from './files.ts'

const load = async (
  files: Readonly<Record<string, string>>,
  env: Record<string, string> = {},
  options = { imageRequired: false },
) => {
  await using folder = await folderOf(files)
  return await loadTaskTypes(folder.path, env, options)
}

const GOOD = `services:
  resize:
    command: [resize]
    x-task: {}
`

describe('the folder of task types', () => {
  it('gives the contract’s example with every value', async () => {
    const { types } = await load({ 'encode-video.yml': await exampleFile() })
    const { type, definition } = types.get('encode-video')!
    const { compose, ...service } = type.service
    assert.deepEqual(service, {
      image: 'registry.example.com/encoder:1.4',
      command: ['encode', '--quality', 'high'],
      environment: { LOG_LEVEL: 'info' },
      stopSignal: 'SIGTERM',
      stopGraceMs: 30_000,
      declared: { secrets: { 's3-credentials': { external: true } } },
    })
    assert.deepEqual(compose['secrets'], ['s3-credentials'])
    assert.equal(compose['x-task'], undefined)
    const { service: _, hash, directory, ...rest } = type
    assert.match(hash, /^[0-9a-f]{64}$/)
    assert.equal(directory, definition.directory)
    const memory = { factor: 2, maxBytes: 8 * 2 ** 30 }
    assert.deepEqual(rest, {
      name: 'encode-video',
      command: 'media/encode-video',
      idPointer: '/videoId',
      input: {
        type: 'object',
        required: ['videoId', 'source'],
        properties: { videoId: { type: 'string' }, source: { type: 'string', format: 'uri' } },
      },
      inputEnvironment: { SOURCE_URL: '/source' },
      arguments: ['--in', { from: '/source' }],
      startTimeoutMs: 300_000,
      attemptTimeoutMs: 7_200_000,
      deadlineMs: 43_200_000,
      retry: {
        maxAttempts: 4,
        backoff: { initialMs: 5_000, factor: 2, maxMs: 600_000, jitter: 'full' },
        rules: [
          { when: { exitCode: [{ from: 64, to: 78 }] }, action: 'fail', count: true },
          { when: { reason: ['oom'] }, action: 'retry', count: true, memory },
          { when: { exitCode: [{ from: 137, to: 137 }] }, action: 'retry', count: true, memory },
          { when: { exitCode: [{ from: 99, to: 99 }] }, action: 'succeed', count: true },
          { when: { reason: ['node-lost', 'preempted'] }, action: 'retry', count: false },
        ],
      },
      onNodeLost: { action: 'retry', afterMs: 60_000 },
      concurrency: { limit: 10, key: '/tenantId' },
      priority: 0,
      eventNames: { succeeded: 'media/video-encoded' },
      keep: { outcomeMs: 30 * 86_400_000, failedUnitMs: 3_600_000, logTailBytes: 16_384 },
    })
  })

  it('applies every default where the file says nothing', async () => {
    const { type } = (await load({ 'a.yml': GOOD })).types.get('resize')!
    assert.deepEqual(
      { ...type, hash: '', directory: '', service: {} },
      {
        name: 'resize',
        hash: '',
        directory: '',
        service: {},
        input: {},
        inputEnvironment: {},
        arguments: [],
        startTimeoutMs: 600_000,
        retry: {
          maxAttempts: 3,
          backoff: { initialMs: 5_000, factor: 2, maxMs: 300_000, jitter: 'full' },
          rules: [],
        },
        onNodeLost: { action: 'retry', afterMs: 60_000 },
        priority: 0,
        eventNames: {},
        keep: { outcomeMs: 30 * 86_400_000, failedUnitMs: 3_600_000, logTailBytes: 16_384 },
      },
    )
  })

  it('takes what is shipped', async () => {
    const { types } = await loadTaskTypes(join(ROOT, 'config/tasks'), {}, { imageRequired: false })
    assert.deepEqual([...types.keys()], ['compress-file'])
  })

  it('reads *.yml and *.yaml, sorted, and neither hidden files nor others', async () => {
    const named = (name: string) => GOOD.replace('resize:', `${name}:`)
    const { types } = await load({
      'b.yaml': named('b'),
      'a.yml': named('a'),
      '.c.yml': 'not: a type',
      'd.yml~': 'not: a type',
      'readme.md': '#',
    })
    assert.deepEqual([...types.keys()], ['a', 'b'])
  })

  it('keeps what is said for Nomad alone as it is written, variables filled in', async () => {
    const { types } = await load({
      't.yml':
        'services: { t: { image: a, x-task: { nomad: { driver: podman, cpu: "${MHZ:-500}", constraints: [{ attribute: "$${attr.cpu.arch}", value: amd64 }] } } } }',
    })
    assert.deepEqual(types.get('t')?.type.service.nomad, {
      driver: 'podman',
      cpu: '500',
      constraints: [{ attribute: '${attr.cpu.arch}', value: 'amd64' }],
    })
  })

  it('may be empty, and must be there', async () => {
    assert.equal((await load({})).types.size, 0)
    await using folder = await folderOf({})
    const missing = join(folder.path, 'tasks')
    const [told] = await mistakes(folder.path, () => loadTaskTypes(missing, {}))
    assert.match(told ?? '', /^tasks: the folder of task types cannot be read: ENOENT/)
  })

  it('gives a definition whose hash goes by what it says, not by how or where it is written', async () => {
    const hash = async (text: string, env = {}) =>
      (await load({ 'x.yml': text }, env)).types.get('resize')?.definition.hash
    const flow = '{ services: { resize: { x-task: {}, command: [resize] } } } # the same'
    assert.equal(await hash(GOOD), await hash(flow))
    assert.notEqual(await hash(GOOD), await hash(GOOD.replace('[resize]', '[resize, -v]')))
    const variable = GOOD.replace('[resize]', '["${PROGRAM}"]')
    assert.equal(await hash(variable, { PROGRAM: 'a' }), await hash(variable, { PROGRAM: 'b' }))
  })

  it('keeps variables out of the definition and fills them into the type, numbers included', async () => {
    const text = GOOD.replace('[resize]', '["${PROGRAM}"]').replace(
      'x-task: {}',
      'x-task: { retry: { max_attempts: "${TRIES:-7}" } }',
    )
    const loaded = (await load({ 'x.yml': text }, { PROGRAM: 'magick' })).types.get('resize')!
    assert.deepEqual(loaded.type.service.command, ['magick'])
    assert.equal(loaded.type.retry.maxAttempts, 7)
    assert.match(JSON.stringify(loaded.definition.compose), /\$\{PROGRAM\}.*\$\{TRIES:-7\}/)
  })

  it('takes anchors and merge keys', async () => {
    const text = `x-base: &base
  command: [resize]
services:
  resize:
    <<: *base
    x-task: {}
`
    const { type } = (await load({ 'x.yml': text })).types.get('resize')!
    assert.deepEqual(type.service.command, ['resize'])
  })

  it('checks inputs against the type’s schema, tells every mistake, and changes nothing', async () => {
    const { validateInput } = (await load({ 'x.yml': await exampleFile() })).types.get(
      'encode-video',
    )!
    const input = Object.freeze({ videoId: '1', source: 'https://example.com/a', more: 1 })
    assert.deepEqual(validateInput(input), [])
    assert.deepEqual(validateInput({ videoId: 1, source: 'no uri' }), [
      { pointer: '/videoId', message: 'must be string' },
      { pointer: '/source', message: 'must match format "uri"' },
    ])
    assert.deepEqual(validateInput({ videoId: '1' }), [
      { pointer: '', message: "must have required property 'source'" },
    ])
  })

  it('needs images where the scheduler does', async () => {
    await using folder = await folderOf({ 'a.yml': GOOD })
    const told = await mistakes(folder.path, () =>
      loadTaskTypes(folder.path, {}, { imageRequired: true }),
    )
    assert.deepEqual(told, ['a.yml:2:3: `image` is missing: the configured scheduler runs images'])
  })

  it('names both places where two types have one name or one command', async () => {
    const type = (name: string) => `services:
  ${name}:
    command: [x]
    x-task: { command: media/x }
`
    await using folder = await folderOf({
      'a.yml': type('x'),
      'b.yml': type('y'),
      'c.yml': type('x'),
    })
    assert.deepEqual(await mistakes(folder.path, () => loadTaskTypes(folder.path, {})), [
      'b.yml:4:24: the command `media/x` is taken: a.yml:4:24 has it already',
      'c.yml:2:3: the task type `x` is taken: a.yml:2:3 has it already',
      'c.yml:4:24: the command `media/x` is taken: a.yml:4:24 has it already',
    ])
  })

  it('tells every mistake of every file at once', async () => {
    await using folder = await folderOf({
      'a.yml': GOOD.replace('{}', '{ deadline: 5 , priorty: 1 }'),
      'b.yml': 'services: [',
      'c.yml': GOOD.replace('resize:', 'other:'),
    })
    const told = await mistakes(folder.path, () => loadTaskTypes(folder.path, {}))
    assert.deepEqual(
      told.map((line) => line.replace(/^(\S+).*/, '$1')),
      ['a.yml:4:25:', 'a.yml:4:29:', 'b.yml:1:12:'],
    )
  })
})
