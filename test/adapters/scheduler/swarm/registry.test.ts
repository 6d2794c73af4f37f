import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import { Installation, shell } from '../../../support/daemon.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { type Registry, cannotRunRegistries, openRegistry } from '../../../support/registry.ts'
import { requireOrSkip } from '../../../support/services.ts'
import { until } from '../../../support/store.ts'
import { LIMIT_MS, SwarmHarness, never } from './swarm-harness.ts'

/** Of each user; the hash is its bcrypt. */
const PASSWORD = 'geheim'
const HASH = '$2y$04$abcdefghijklmnopqrstuuPWRtT5yx7FBi4dcf6ROhboeNunUrLQ.'
/** The engine reads what is written of them in groups of three bytes: one of each remainder. */
const USERS = ['me', 'you', 'them']

describe('images of a real registry', function () {
  this.timeout(180_000)
  const dockerd = useDockerd()
  let folder: string
  let open: Registry
  let guarded: Registry
  before(async function () {
    const why = await cannotRunRegistries()
    requireOrSkip(this, 'registry', why === undefined, why ?? '')
    folder = await mkdtemp(join(tmpdir(), 'longhaul-images-'))
    open = await openRegistry(dockerd(), { port: 5000 })
    const htpasswd = USERS.map((user) => `${user}:${HASH}\n`).join('')
    guarded = await openRegistry(dockerd(), { port: 5001, htpasswd })
    await push(`${guarded.address}/task:1`, 'guarded')
  })
  after(async () => {
    for (const registry of [open, guarded]) await registry[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  const docker = (...args: readonly string[]) => dockerd().docker(...args)

  /** The folder of a Docker `config.json` with a user's credentials. */
  const configOf = async (user: string, password = PASSWORD): Promise<string> => {
    const at = join(folder, `${user}-${password}`)
    await mkdir(at, { recursive: true })
    const auth = Buffer.from(`${user}:${password}`).toString('base64')
    await writeFile(
      join(at, 'config.json'),
      JSON.stringify({ auths: { [guarded.address]: { auth } } }),
    )
    return at
  }
  const fileOf = async (...args: Parameters<typeof configOf>): Promise<string> =>
    join(await configOf(...args), 'config.json')

  /** Pushes a task image that knows its release by the variable, and leaves none on the node. */
  const push = async (image: string, release: string): Promise<void> => {
    const changes = ['PATH=/bin', `RELEASE=${release}`].flatMap((one) => ['-c', `ENV ${one}`])
    await docker('import', ...changes, join(dockerd().folder, 'root.tar'), image)
    await docker('--config', await configOf('me'), 'push', image)
    await docker('rmi', image)
  }

  /** Every image of a registry that is on the node goes, as soon as no container has it. */
  const forget = async (registry: Registry): Promise<void> => {
    const has = ['images', '--quiet', '--filter', `reference=${registry.address}/*`]
    const gone = async () => {
      const ids = (await docker(...has)).split('\n').filter(Boolean)
      return docker('rmi', '--force', ...ids).then(Boolean, () => ids.length === 0)
    }
    await until(gone, `the node has no image of ${registry.address}`, LIMIT_MS)
  }

  const daemonWith = (types: Readonly<Record<string, object>>, scheduler: object = {}) =>
    Installation.make(types, {
      scheduler: { kind: 'swarm', socket: dockerd().socket, ...scheduler },
    })

  /** What each attempt of a type's tasks was made of, by its number. */
  const imagesOf = async (type: string): Promise<readonly string[]> => {
    const ids = await docker('service', 'ls', '-q', '--filter', `label=longhaul.task-type=${type}`)
    const format =
      '{{index .Spec.Labels "longhaul.attempt"}} {{.Spec.TaskTemplate.ContainerSpec.Image}}'
    const lines = await docker('service', 'inspect', '--format', format, ...ids.split('\n'))
    return lines
      .split('\n')
      .toSorted()
      .map((line) => line.split(' ')[1] ?? '')
  }
  const removeAll = async (type: string): Promise<void> => {
    const ids = await docker('service', 'ls', '-q', '--filter', `label=longhaul.task-type=${type}`)
    await docker('service', 'rm', ...ids.split('\n'))
    const left = () => docker('ps', '-aq', '--filter', `label=longhaul.task-type=${type}`)
    await until(async () => (await left()) === '', 'no container of them is left', LIMIT_MS)
  }

  it('are run by the digest of their run, though their tag has moved; the next run takes the new one', async () => {
    const image = `${open.address}/moving:1`
    const script =
      'echo "$RELEASE"; [ "$LONGHAUL_ATTEMPT" -gt 1 ] || until [ -e /marks/moved ]; do sleep 0.1; done; exit 3'
    const retry = { max_attempts: 2, backoff: { initial: '100ms', jitter: 'none' } }
    const marks = join(folder, 'marks')
    await mkdir(marks)
    await using daemon = await daemonWith({
      moving: { image, command: shell(script), volumes: [`${marks}:/marks`], 'x-task': { retry } },
    })
    await push(image, 'one')
    assert.equal(await daemon.start(), 'started')
    await daemon.run('moving', '1')
    await daemon.when('moving/1', ({ state }) => state === 'running', 'runs', LIMIT_MS)
    await push(image, 'two')
    await writeFile(join(marks, 'moved'), '')
    const first = await daemon.ended('moving/1', LIMIT_MS)
    const said = (task: typeof first) => task.attempts.map(({ exit }) => exit?.logTail)
    assert.deepEqual(said(first), ['one\n', 'one\n'])

    assert.equal((await daemon.fetch('/v1/tasks/moving/1/redrive', {})).status, 202)
    const second = await daemon.ended('moving/1', LIMIT_MS)
    assert.deepEqual(said(second), ['one\n', 'one\n', 'two\n', 'two\n'])
    const [one = '', again, two = '', twice] = await imagesOf('moving')
    assert.match(one, /^127\.0\.0\.1:5000\/moving:1@sha256:[0-9a-f]{64}$/)
    assert.deepEqual([again, twice], [one, two])
    assert.notEqual(one, two)
    await removeAll('moving')
    await forget(open)
  })

  for (const user of USERS) {
    it(`are told of and pulled with the credentials of a config.json, here those of ${user}`, async () => {
      const authFile = await fileOf(user)
      await using harness = await SwarmHarness.open(dockerd(), { requireDigest: true, authFile })
      const tagged = harness.script('echo "$RELEASE"', { image: `${guarded.address}/task:1` })
      const image = await harness.adapter.resolve(tagged, never)
      assert(image !== undefined)
      const unit = { ...tagged, service: { ...tagged.service, image } }
      await harness.adapter.start(unit, never)
      const exit = await harness.exitOf(unit)
      assert.deepEqual([exit.reason, exit.logTail], ['completed', 'guarded\n'], exit.message)
      await harness.adapter.remove(unit.name, never)
      await forget(guarded)
    })
  }

  /** What a registry says no to, and what it says of it. */
  const REFUSED: readonly (readonly [what: string, image: string, says: RegExp, user?: string])[] =
    [
      ['a wrong password', '5001/task:1', /unauthorized|authentication required/, 'me'],
      ['no password at all', '5001/task:1', /no basic auth credentials/],
      ['a tag that was never pushed', '5000/moving:none', /manifest unknown|not found/],
      ['a name that was never pushed', '5000/none:1', /manifest unknown|not found/],
    ]
  for (const [what, rest, says, user] of REFUSED) {
    const image = `127.0.0.1:${rest}`
    const auth = async () => (user === undefined ? {} : { authFile: await fileOf(user, 'wrong') })

    it(`are rejected as unavailable for ${what} where a digest is required`, async () => {
      const policy = { requireDigest: true, ...(await auth()) }
      await using harness = await SwarmHarness.open(dockerd(), policy)
      await assert.rejects(
        harness.adapter.resolve(harness.script('exit 0', { image }), never),
        (error: unknown) => {
          assert(error instanceof Rejected, String(error))
          assert.equal(error.code, 'image-unavailable')
          assert(error.message.startsWith(`the registry tells no digest of ${image}: `))
          assert.match(error.message, says)
          return true
        },
      )
    })

    it(`end as unavailable on the node for ${what} otherwise, and the log tells why`, async () => {
      const policy = { requireDigest: false, ...(await auth()) }
      await using harness = await SwarmHarness.open(dockerd(), policy)
      const unit = harness.script('exit 0', { image })
      assert.equal(await harness.adapter.resolve(unit, never), undefined)
      const [warned] = harness.logged
      assert.equal(warned?.message, 'image.unpinned')
      assert.match((warned.fields as { error: string }).error, says)
      await harness.adapter.start(unit, never)
      const exit = await harness.exitOf(unit)
      assert.equal(exit.reason, 'image-unavailable')
      assert.match(exit.message ?? '', new RegExp(`No such image: ${image}|${says.source}`))
    })
  }

  it('are run as their tag means to the node, with a warning, while their registry is away', async () => {
    const image = `${open.address}/away:1`
    await push(image, 'away')
    await docker('pull', image)
    await using harness = await SwarmHarness.open(dockerd())
    await open.stop()
    try {
      const unit = harness.script('echo "$RELEASE"', { image })
      assert.equal(await harness.adapter.resolve(unit, never), undefined)
      const [{ message, fields }] = harness.logged as [{ message: string; fields: object }]
      assert.equal(message, 'image.unpinned')
      assert.match((fields as { error: string }).error, /connection refused/)
      await harness.adapter.start(unit, never)
      const exit = await harness.exitOf(unit)
      assert.deepEqual([exit.reason, exit.logTail], ['completed', 'away\n'], exit.message)
      await harness.adapter.remove(unit.name, never)
    } finally {
      await open.start()
    }
    await forget(open)
  })

  it('are waited for while their registry is away and a digest is required, and then run by it', async () => {
    const image = `${open.address}/awaited:1`
    await push(image, 'awaited')
    await using harness = await SwarmHarness.open(dockerd(), { requireDigest: true })
    await using daemon = await daemonWith(
      { awaited: { image, command: shell('echo "$RELEASE"'), 'x-task': {} } },
      { require_digest: true },
    )
    await open.stop()
    try {
      const unit = harness.script('exit 0', { image })
      await assert.rejects(harness.adapter.resolve(unit, never), Unavailable)
      assert.equal(await daemon.start(), 'started')
      await daemon.run('awaited', '1')
      const waits = (error: unknown) =>
        /tells no digest of .*connection refused/.test(String(error))
      await daemon.logged((line) => waits(line['error']), 'it waits', { limitMs: LIMIT_MS })
      assert.equal((await daemon.task('awaited/1')).outcome, undefined)
    } finally {
      await open.start()
    }
    const task = await daemon.ended('awaited/1', 2 * LIMIT_MS)
    assert.deepEqual(
      [task.outcome?.state, task.attempts.map(({ exit }) => exit?.logTail)],
      ['succeeded', ['awaited\n']],
    )
    await forget(open)
  })

  it('fail their task with what the registry says where a digest is required and they are not there', async () => {
    const image = `${open.address}/never:1`
    await using daemon = await daemonWith(
      { never: { image, command: ['true'], 'x-task': { retry: { max_attempts: 1 } } } },
      { require_digest: true },
    )
    assert.equal(await daemon.start(), 'started')
    await daemon.run('never', '1')
    const { outcome, attempts } = await daemon.ended('never/1', LIMIT_MS)
    assert.equal(outcome?.state, 'failed')
    const [exit] = attempts.map((attempt) => attempt.exit)
    assert.deepEqual([exit?.reason, exit?.fault], ['image-unavailable', 'configuration'])
    assert.match(
      exit?.message ?? '',
      /^the registry tells no digest of .*(manifest unknown|not found)/,
    )
  })
})
