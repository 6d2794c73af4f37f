import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { engineApi } from '../../../../adapters/scheduler/swarm/engine-api.ts'
import { matchesImage, referenceOf } from '../../../../adapters/scheduler/swarm/image-reference.ts'
import { type ImagePolicy, Images } from '../../../../adapters/scheduler/swarm/images.ts'
import { registryAuthFor } from '../../../../adapters/scheduler/swarm/registry-auth.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { type FakeEngine, fakeEngine, json } from './fake-engine.ts'

const never = new AbortController().signal
const DIGEST = `sha256:${'a'.repeat(64)}`
const ignore = () => undefined
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

const unitOf = (image: string): UnitSpec => unitNamed('lh-x', { image })

describe('an image’s name', () => {
  for (const [image, registry, repository, tag, digest] of [
    ['busybox', 'docker.io', 'library/busybox'],
    ['busybox:1.36', 'docker.io', 'library/busybox', '1.36'],
    ['team/app', 'docker.io', 'team/app'],
    ['index.docker.io/team/app:2', 'docker.io', 'team/app', '2'],
    ['registry.example.com/a/b:1', 'registry.example.com', 'a/b', '1'],
    ['registry:5000/a', 'registry:5000', 'a'],
    ['localhost/a:b', 'localhost', 'a', 'b'],
    [`r.example/a:1@${DIGEST}`, 'r.example', 'a', '1', DIGEST],
  ] as const) {
    it(`is read as the engine reads it: ${image}`, () => {
      assert.deepEqual(referenceOf(image), {
        registry,
        repository,
        ...(tag !== undefined && { tag }),
        ...(digest !== undefined && { digest }),
      })
    })
  }

  const MEANT: readonly (readonly [image: string, pattern: string, is: boolean])[] = [
    ['registry.example.com/team/a:1', 'registry.example.com/*', true],
    ['registry.example.com/team/a:1', 'registry.example.com/team/*', true],
    ['registry.example.com/other/a:1', 'registry.example.com/team/*', false],
    ['registry.example.com.evil.net/team/a', 'registry.example.com/*', false],
    ['evil.net/registry.example.com/team/a', 'registry.example.com/*', false],
    ['registryxexample.com/a', 'registry.example.com/*', false],
    ['busybox:1', 'busybox', true],
    ['docker.io/library/busybox:1', 'busybox', true],
    ['evil.net/busybox:1', 'busybox', false],
    ['busybox:1.36', 'busybox:1.*', true],
    ['busybox', 'busybox:1.*', false],
    ['busybox', 'busybox:latest', true],
    [`r.example/a@${DIGEST}`, 'r.example/a', true],
    [DIGEST, '*', false],
    ['eu.example.com/a', '*.example.com/*', true],
    ['evil.net/x.example.com/a', '*.example.com/*', false],
  ]
  for (const [image, pattern, is] of MEANT) {
    it(`${image} is ${is ? '' : 'not '}meant by ${pattern}`, () => {
      assert.equal(matchesImage(image, pattern), is)
    })
  }
})

describe('the images of attempts', () => {
  let engine: FakeEngine
  let said: { status: number; body: unknown }
  beforeEach(async () => {
    said = { status: 200, body: { Descriptor: { digest: DIGEST } } }
    engine = await fakeEngine((request, response) => {
      const path = request.url ?? ''
      if (path.startsWith('/distribution/')) json(response, said.status, said.body)
      else json(response, 404, { message: path })
    })
  })
  afterEach(async () => {
    await engine[Symbol.asyncDispose]()
  })

  const images = (policy: Partial<ImagePolicy> = {}) =>
    new Images(engineApi(engine.socket), { requireDigest: false, ...policy }, logger)
  const resolved = (from: Images, image: string) => from.resolve(unitOf(image), never)
  const refusedWith = (code: string) => (error: unknown) => {
    assert(error instanceof Rejected)
    assert.equal(error.code, code)
    return true
  }

  it('have the digest that their tag means to the registry now', async () => {
    const from = images()
    assert.equal(await resolved(from, 'r.example/a:1'), `r.example/a:1@${DIGEST}`)
    const newer = `sha256:${'b'.repeat(64)}`
    said = { status: 200, body: { Descriptor: { digest: newer } } }
    assert.equal(await resolved(from, 'r.example/a:1'), `r.example/a:1@${newer}`)
  })

  it('need none where they have one or are an id, and nobody is asked', async () => {
    const from = images({ requireDigest: true })
    for (const image of [`r.example/a@${DIGEST}`, `r.example/a:1@${DIGEST}`, DIGEST]) {
      assert.equal(await resolved(from, image), undefined)
      assert.deepEqual(await from.of(unitOf(image)), { image })
    }
    assert.deepEqual(engine.asked, [])
  })

  it('have none where the registry says nothing, which is asked again only after a while', async () => {
    said = { status: 403, body: { message: 'denied' } }
    const from = images()
    for (let n = 0; n < 2; n += 1) assert.equal(await resolved(from, 'r.example/a:1'), undefined)
    assert.equal(engine.asked.length, 1)
    assert.deepEqual(await from.of(unitOf('r.example/a:1')), { image: 'r.example/a:1' })
  })

  it('are unavailable without a digest where one is required and the registry says no', async () => {
    const from = images({ requireDigest: true })
    said = { status: 404, body: { message: 'manifest unknown' } }
    await assert.rejects(resolved(from, 'r.example/a:1'), refusedWith('image-unavailable'))
    const head = 'Head "http://r.example/v2/a/manifests/1"'
    said = { status: 500, body: { message: `${head}: no basic auth credentials` } }
    await assert.rejects(resolved(from, 'r.example/a:1'), refusedWith('image-unavailable'))
    for (const status of [500, 429]) {
      said = { status, body: { message: 'not now' } }
      await assert.rejects(resolved(from, 'r.example/a:1'), Unavailable)
    }
    await assert.rejects(from.of(unitOf('r.example/a:1')), refusedWith('no-digest'))
  })

  it('are refused where the daemon’s file does not allow them, before any registry is asked', async () => {
    const from = images({ allowed: ['r.example/*', 'busybox'] })
    assert.equal(await resolved(from, 'r.example/a:1'), `r.example/a:1@${DIGEST}`)
    const { length } = engine.asked
    for (const image of ['other.example/a:1', DIGEST]) {
      await assert.rejects(resolved(from, image), refusedWith('image-not-allowed'))
      await assert.rejects(from.of(unitOf(image)), refusedWith('image-not-allowed'))
    }
    assert.equal(engine.asked.length, length)
  })

  describe('with a registry’s credentials', () => {
    let folder: string
    let authFile: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'longhaul-auth-'))
      authFile = join(folder, 'config.json')
    })
    after(async () => {
      await rm(folder, { recursive: true })
    })
    const write = (config: unknown) => writeFile(authFile, JSON.stringify(config))
    const read = (auth: string | undefined): unknown =>
      auth === undefined ? undefined : JSON.parse(Buffer.from(auth, 'base64url').toString())
    const basic = (text: string) => ({ auth: Buffer.from(text).toString('base64') })

    it('carry those of their own registry alone', async () => {
      await write({
        auths: {
          'r.example': basic('me:pass:word'),
          'https://index.docker.io/v1/': basic('hub:x'),
          'token.example': { identitytoken: 't' },
        },
      })
      assert.deepEqual(read(await registryAuthFor('r.example', authFile)), {
        serveraddress: 'r.example',
        username: 'me',
        password: 'pass:word',
      })
      assert.deepEqual(read(await registryAuthFor('token.example', authFile)), {
        serveraddress: 'token.example',
        identitytoken: 't',
      })
      const hub = read(await registryAuthFor('docker.io', authFile)) as { username: string }
      assert.equal(hub.username, 'hub')
      assert.equal(await registryAuthFor('other.example', authFile), undefined)
      const { registryAuth } = await images({ authFile }).of(unitOf('r.example/a:1'))
      assert.notEqual(registryAuth, undefined)
    })

    it('are written as the engine reads them, with all of their padding, however long they are', async () => {
      for (const user of ['u', 'us', 'use']) {
        await write({ auths: { 'r.example': basic(`${user}:?>~`) } })
        const auth = (await registryAuthFor('r.example', authFile)) ?? assert.fail()
        assert.match(auth, /^[\w-]+={0,2}$/)
        assert.equal(auth.length % 4, 0)
        assert.deepEqual(read(auth), {
          serveraddress: 'r.example',
          username: user,
          password: '?>~',
        })
      }
    })

    it('wait for a file that is not there or is no JSON, and never quote it', async () => {
      await writeFile(authFile, '{ "secret" ')
      await assert.rejects(registryAuthFor('r.example', authFile), (error: unknown) => {
        assert(error instanceof Unavailable)
        assert(!error.message.includes('secret'))
        return true
      })
      await assert.rejects(registryAuthFor('r.example', join(folder, 'none')), Unavailable)
    })
  })
})
