import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { temporaryFolder } from '../support/store.ts'
import { Cli, runCli } from './run-cli.ts'
import { sendJson, sendProblem, StubDaemon, wireTask } from './stub-daemon.ts'

describe('the command line', () => {
  it('answers wrong usage with exit 2, one sentence and where the help is', async () => {
    const cases: readonly (readonly [args: string, message: RegExp, help: string])[] = [
      ['', /Say a command/, 'longhaul --help'],
      ['nonsense', /Unknown command: nonsense/, 'longhaul --help'],
      ['task', /what is to be done/, 'longhaul task --help'],
      ['task nonsense', /Unknown command: nonsense/, 'longhaul task --help'],
      ['task list --nonsense', /Unknown argument: nonsense/, 'longhaul task list --help'],
      ['task list --state asleep', /asleep.*queued/, 'longhaul task list --help'],
      ['task list --limit 0', /whole number/, 'longhaul task list --help'],
      ['task show greet', /TYPE\/ID/, 'longhaul task show --help'],
      ['task logs greet/1 --attempt one', /whole number/, 'longhaul task logs --help'],
      ['task logs greet/1 --json --follow', /mutually exclusive/, 'longhaul task logs --help'],
      ['task run', /Not enough/, 'longhaul task run --help'],
      ['dead-letters show', /Not enough/, 'longhaul dead-letters show --help'],
      ['events --url ftp://host', /--url must be a URL/, 'longhaul events --help'],
      ['events --url', /url/, 'longhaul events --help'],
      ['constructor', /Unknown command/, 'longhaul --help'],
    ]
    const all = await Promise.all(cases.map(([args]) => runCli(args.split(' ').filter(Boolean))))
    for (const [i, { code, stdout, stderr }] of all.entries()) {
      const [args, message, help] = cases[i]!
      assert.equal(code, 2, args)
      assert.equal(stdout, '', args)
      assert.match(stderr, message)
      assert.ok(stderr.endsWith(`\nSee ${help}\n`), stderr)
      assert.doesNotMatch(stderr, /\n\s+at /)
    }
  }).timeout(60_000)

  it('never repeats a password that stands in a URL', async () => {
    const { code, stderr } = await runCli(['task', 'list', '--url', 'http://me:hush@127.0.0.1:1'])
    assert.equal(code, 2)
    assert.doesNotMatch(stderr, /hush/)
    assert.match(stderr, /--token-file/)
  })

  it('gives its help and version on stdout', async () => {
    const [help, version] = await Promise.all([
      runCli(['task', 'run', '--help']),
      runCli(['--version']),
    ])
    assert.equal(help.code, 0)
    assert.match(help.stdout, /--wait/)
    assert.deepEqual(version, { code: 0, stdout: `${packageJson.version}\n`, stderr: '' })
  })

  it('answers input that is no JSON object with 65 before anybody is asked', async () => {
    await using folder = await temporaryFolder()
    const bad = join(folder.path, 'bad.json')
    await writeFile(bad, Buffer.from([0x22, 0xff, 0x22]))
    const cases: readonly (readonly [input: string, message: RegExp])[] = [
      ['{"a":', /--input is no JSON/],
      ['[1]', /--input is no JSON object/],
      ['@/no/such/file', /--input @\/no\/such\/file cannot be read/],
      [`@${bad}`, /bad\.json is no JSON/],
      ['-', /what came on stdin is no JSON/],
    ]
    const all = await Promise.all(
      cases.map(([input]) => runCli(['task', 'run', 'greet', '--input', input], { input: 'nope' })),
    )
    for (const [i, { code, stderr }] of all.entries()) {
      assert.equal(code, 65)
      assert.match(stderr, cases[i]![1])
    }
  }).timeout(60_000)

  it('says where it has looked for a daemon and what to do, with exit 69', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.close()
    const commands = ['task list', 'events', 'task run greet', 'task run greet --wait']
    const all = await Promise.all(
      commands.map((args) => runCli(args.split(' '), { env: { LONGHAUL_URL: url } })),
    )
    for (const { code, stdout, stderr } of all) {
      assert.equal(code, 69)
      assert.equal(stdout, '')
      assert.equal(
        stderr,
        `longhaul: no daemon answers at ${url} (connection refused): start one with \`longhaul run\`, or say where it is with --url or LONGHAUL_URL\n`,
      )
    }
  })

  it('sees that what answers is no daemon, and never follows a redirect', async () => {
    await using stub = await StubDaemon.start((_, response) => {
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>')
    })
    const list = () => runCli(['task', 'list', '--url', stub.url])
    const broken = await list()
    assert.equal(broken.code, 69)
    assert.match(broken.stderr, /no Longhaul daemon: HTTP 502 Bad Gateway\n$/)
    stub.handle = (_, response) => response.writeHead(301, { location: '/elsewhere' }).end()
    const moved = await list()
    assert.equal(moved.code, 69)
    assert.match(moved.stderr, /it points to \/elsewhere/)
    stub.handle = (_, response) => response.end('hello')
    const other = await list()
    assert.equal(other.code, 69)
    assert.match(other.stderr, /its answer is not JSON/)
    assert.equal(stub.asked.length, 3)
  })

  it('makes one sentence of a refusal, and a line of every mistake', async () => {
    await using stub = await StubDaemon.start(() => undefined)
    const run = () => runCli(['task', 'run', 'greet', '--url', stub.url])
    const answers = async (status: number, code: string, errors?: readonly object[]) => {
      stub.handle = (_, response) => {
        sendProblem(response, status, code, 'the detail', errors)
      }
      return await run()
    }
    const mistakes = [
      { code: 'schema', pointer: '/who', message: 'must be string' },
      { code: 'schema', pointer: '', message: "must have required property 'x'" },
    ]
    assert.deepEqual(await answers(422, 'invalid', mistakes), {
      code: 65,
      stdout: '',
      stderr:
        "longhaul: this cannot be taken as it is:\n  /who: must be string\n  (the whole): must have required property 'x'\n",
    })
    const tooLarge = [{ code: 'input-too-large', pointer: '', message: 'too large by half' }]
    assert.deepEqual(await answers(413, 'input-too-large', tooLarge), {
      code: 65,
      stdout: '',
      stderr: 'longhaul: too large by half\n',
    })
    for (const [status, code] of [
      [404, 'unknown-type'],
      [409, 'id-conflict'],
      [500, 'internal'],
      [503, 'store'],
    ] as const) {
      const answer = await answers(status, code)
      assert.deepEqual(answer, { code: 1, stdout: '', stderr: 'longhaul: the detail\n' })
    }
  }).timeout(60_000)

  it('sends the token of the file, says when one is missing or wrong, and prints it nowhere', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'token')
    await writeFile(file, 'hush-hush\n')
    await using stub = await StubDaemon.start(({ headers }, response) => {
      if (headers.authorization === 'Bearer hush-hush') sendJson(response, 200, { tasks: [] })
      else sendProblem(response, 401, 'unauthorized', 'this call needs a token')
    })
    const list = (env: Readonly<Record<string, string>>, ...args: string[]) =>
      runCli(['task', 'list', '--url', stub.url, ...args], { env })
    assert.equal((await list({}, '--token-file', file)).code, 0)
    assert.equal((await list({ LONGHAUL_TOKEN_FILE: file })).code, 0)
    const without = await list({})
    assert.equal(without.code, 1)
    assert.match(without.stderr, /needs a token\nName the file.*LONGHAUL_TOKEN_FILE/)
    await writeFile(file, 'other-secret')
    const wrong = await list({}, '--token-file', file)
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /token is not the daemon’s|token in .* is not the daemon’s/)
    assert.doesNotMatch(wrong.stderr, /other-secret/)
    await writeFile(file, 'two words')
    const odd = await list({}, '--token-file', file)
    assert.equal(odd.code, 78)
    assert.doesNotMatch(odd.stderr, /two words/)
    assert.equal((await list({}, '--token-file', join(folder.path, 'none'))).code, 78)
  }).timeout(60_000)

  it('takes the id and the input as they are given, and makes requests that can be repeated', async () => {
    await using stub = await StubDaemon.start((_, response) => {
      sendJson(response, 201, wireTask())
    })
    const url = `${stub.url}/`
    const env = { LONGHAUL_URL: url }
    const input = '{"who":"wörld","n":1}'
    assert.deepEqual(
      await runCli(['task', 'run', 'greet', '--id', '007', '--input', '-'], { env, input }),
      { code: 0, stdout: 'greet/1\tqueued\n', stderr: '' },
    )
    await runCli(['task', 'run', 'greet'], { env })
    assert.deepEqual(
      stub.asked.map(({ method, url, body }) => [method, url, JSON.parse(body) as unknown]),
      [
        ['POST', '/v1/tasks', { type: 'greet', id: '007', input: { who: 'wörld', n: 1 } }],
        ['POST', '/v1/tasks', { type: 'greet', input: {} }],
      ],
    )
    assert.match(String(stub.asked[1]!.headers['idempotency-key']), /^[0-9a-f-]{36}$/)
  })

  it('ends quietly, and not with success, where nobody reads its output', async () => {
    await using stub = await StubDaemon.start((_, response) => {
      const many = Array.from({ length: 50 }, (_, n) => wireTask({ id: `greet/${n}` }))
      const big = { ...wireTask(), input: { text: 'x'.repeat(500_000) } }
      sendJson(response, 200, { tasks: [...many, big] })
    })
    await using cli = new Cli(['task', 'list', '--json', '--url', stub.url])
    cli.child.stdout.destroy()
    const { code, stderr } = await cli.ended
    assert.equal(code, 141)
    assert.equal(stderr, '')
  })
})
