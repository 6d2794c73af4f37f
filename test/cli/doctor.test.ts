import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FakeEngine, fakeEngine, json } from '../adapters/scheduler/swarm/fake-engine.ts'
import { temporaryFolder } from '../support/store.ts'
import { runCli } from './run-cli.ts'

const TYPE = `services:
  greet:
    image: busybox
    secrets:
      - there
      - source: key
    x-task: {}
secrets:
  there: { external: true }
  key: { external: true }
`

describe('what is asked of the scheduler from the command line', function () {
  this.timeout(60_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let engine: FakeEngine
  let config: string
  let type: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    config = join(folder.path, 'longhaul.yml')
    type = join(folder.path, 'tasks/greet.yml')
    await mkdir(join(folder.path, 'tasks'))
    await writeFile(type, TYPE)
    engine = await fakeEngine((request, response) => {
      const path = (request.url ?? '').split('?')[0]
      if (path === '/version') json(response, 200, { Version: '29.7.2', ApiVersion: '1.55' })
      else if (path === '/info') {
        json(response, 200, {
          SystemTime: new Date().toISOString(),
          Swarm: { LocalNodeState: 'active', ControlAvailable: true, Nodes: 1, Managers: 1 },
        })
      } else if (path === '/secrets') json(response, 200, [{ Spec: { Name: 'there' } }])
      else json(response, request.method === 'GET' ? 200 : 400, [])
    })
    await daemonFile(engine.socket)
  })
  afterEach(async () => {
    await engine[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  const daemonFile = (socket: string) =>
    writeFile(config, `tasks: ./tasks\nscheduler: { kind: swarm, socket: ${socket} }\n`)
  const cli = (...args: string[]) => runCli([...args, '--config', config])

  it('is told by doctor a line each, with a remedy where something is bad, and exit 1', async () => {
    const { code, stdout, stderr } = await cli('doctor')
    assert.equal(stderr, '')
    assert.equal(code, 1)
    const lines = stdout.trimEnd().split('\n')
    for (const line of lines) {
      assert.match(line, /^(ok |bad) {2}(scheduler|bus|store)[^:]*: ./)
      if (line.startsWith('bad')) assert.match(line, /; remedy: ./)
    }
    const bad = lines.filter((line) => line.startsWith('bad'))
    assert.deepEqual(bad, [
      "bad  scheduler task-types: greet, secrets.1: the swarm has no secret 'key'; remedy: docker secret create key FILE",
    ])
    assert.ok(lines.some((line) => line === 'ok   scheduler docker: Docker 29.7.2, API 1.55'))
    assert.ok(lines.some((line) => line === 'ok   scheduler clock: as ours'))
  })

  it('is told by doctor as JSON, and exit 0 where all is well', async () => {
    await writeFile(type, TYPE.replace('      - source: key\n', ''))
    const { code, stdout } = await cli('doctor', '--json')
    assert.equal(code, 0)
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { part: string }[] }
    assert.equal(ok, true)
    assert.deepEqual(
      new Set(findings.map(({ part }) => part)),
      new Set(['scheduler', 'bus', 'store']),
    )
  })

  it('is not asked by doctor where the files cannot be used: exit 78', async () => {
    await writeFile(type, 'services: {}\n')
    const { code, stderr } = await cli('doctor')
    assert.equal(code, 78)
    assert.match(stderr, /greet\.yml:1:/)
    assert.deepEqual(engine.asked, [])
  })

  it('is an error of check at its place in the file where the swarm lacks something', async () => {
    const { code, stderr } = await cli('check')
    assert.equal(code, 78)
    assert.equal(
      stderr,
      `${type}:6:9: the swarm has no secret 'key': docker secret create key FILE\n`,
    )
    const { issues } = JSON.parse((await cli('check', '--json')).stdout) as { issues: object[] }
    assert.equal(issues.length, 1)
  })

  it('is a warning of check where the swarm does not answer', async () => {
    await daemonFile(join(folder.path, 'no.sock'))
    const { code, stdout } = await cli('check')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /warning {2}whether the scheduler swarm has what the task types name could not be asked/,
    )
    const said = JSON.parse((await cli('check', '--json')).stdout) as { needs: object }
    assert.equal(Reflect.get(said.needs, 'asked'), false)
  })

  it('is not asked by check for another scheduler than the file names', async () => {
    const { code } = await cli('check', '--scheduler', 'process')
    assert.equal(code, 0)
    assert.deepEqual(engine.asked, [])
  })
})
