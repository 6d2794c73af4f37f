import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { atPointer, type Json } from '../../src/core/json.ts'
import { FakeNomad } from '../support/fake-nomad/fake-nomad.ts'
import { temporaryFolder } from '../support/store.ts'
import { runCli } from './run-cli.ts'

const TYPE = `services:
  greet:
    image: busybox
    working_dir: \${GREET_FOLDER}
    environment: { PASSWORD: '\${GREET_PASSWORD}' }
    secrets:
      - there
      - source: key
    volumes: ['\${GREET_DATA}:/data']
    deploy: { resources: { limits: { memory: '\${GREET_MEMORY}' } } }
    x-task:
      command: hello/greet
      id: /greetId
      input:
        type: object
        required: [greetId, who]
        properties: { greetId: { type: string }, who: { type: string } }
      environment: { WHO: /who }
      arguments: [--in, { from: /who }]
secrets:
  there: { external: true }
  key: { external: true }
`
const ENV = {
  GREET_FOLDER: '/hush/work',
  GREET_PASSWORD: 'hush-${hush}',
  GREET_DATA: '/hush/data',
  GREET_MEMORY: '512m',
}
const KEY = 'longhaul/secrets/key'

describe('what is asked of Nomad from the command line', function () {
  this.timeout(60_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let nomad: FakeNomad
  let config: string
  let type: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    config = join(folder.path, 'longhaul.yml')
    type = join(folder.path, 'tasks/greet.yml')
    await mkdir(join(folder.path, 'tasks'))
    await writeFile(type, TYPE)
    nomad = await FakeNomad.start()
    nomad.variables.set('longhaul/secrets/there', { value: 'x' })
    const scheduler = `{ kind: nomad, address: '${nomad.address}', namespace: default }`
    await writeFile(config, `tasks: ./tasks\nscheduler: ${scheduler}\n`)
  })
  afterEach(async () => {
    await nomad[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  const cli = (...args: string[]) => runCli([...args, '--config', config], { env: ENV })
  const denied = () => nomad.faults.answer(403, 'Permission denied', { call: /\/v1\/var\// })
  const HIDDEN =
    'not looked at: the token may not see the variables longhaul/secrets/there, longhaul/secrets/key; look with one whose policy has: namespace "default" { variables { path "longhaul/secrets/there" { capabilities = ["read"] } path "longhaul/secrets/key" { capabilities = ["read"] } } }'

  describe('by doctor', () => {
    const ofNomad = (stdout: string) =>
      stdout.split('\n').filter((line) => line.includes('  scheduler '))

    it('is told a line each, and changes nothing: exit 0 where all is well', async () => {
      nomad.variables.set(KEY, { value: 'x' })
      const { code, stdout, stderr } = await cli('doctor')
      assert.deepEqual([code, stderr], [0, ''])
      assert.deepEqual(
        ofNomad(stdout).map((line) => line.replace(/; .*/, '')),
        [
          'ok   scheduler nomad: Nomad 1.6.5, region global, namespace default',
          "ok   scheduler nomad-leader: the servers' leader is 127.0.0.1:4647",
          'ok   scheduler permissions: every call gets through',
          'ok   scheduler events: the event stream can be subscribed to',
          'ok   scheduler nodes: 1 of 1 are ready and eligible: docker on 1, exec on 1, raw_exec on 1',
          'ok   scheduler task-types: everything that they name is there',
        ],
      )
      assert.equal(nomad.state.jobs.size, 0)
    })

    it('is bad where a variable is not there, with the remedy: exit 1', async () => {
      const { code, stdout } = await cli('doctor')
      assert.equal(code, 1)
      assert.deepEqual(
        stdout.split('\n').filter((line) => line.startsWith('bad')),
        [
          `bad  scheduler task-types: greet, secrets.1: Nomad has no variable ${KEY}; remedy: nomad var put ${KEY} value=@FILE`,
        ],
      )
    })

    it('does not say that all is there of what the token may not see', async () => {
      using _ = denied()
      const { code, stdout } = await cli('doctor')
      assert.equal(code, 0)
      assert.deepEqual(ofNomad(stdout).slice(-2), [
        'ok   scheduler task-types: everything else that they name is there',
        `ok   scheduler task-types: ${HIDDEN}`,
      ])
    })

    it('is bad where a call is answered with an error', async () => {
      nomad.variables.set(KEY, { value: 'x' })
      using _ = nomad.faults.answer(500, 'rpc error: boom', { call: /longhaul-doctor\/plan$/ })
      const { code, stdout } = await cli('doctor')
      assert.equal(code, 1)
      assert.match(
        stdout,
        /^bad {2}scheduler calls: POST .*\/plan: 500 rpc error: boom; remedy: see the log/m,
      )
      assert.doesNotMatch(stdout, /every call gets through/)
    })

    it('is bad in few lines where no Nomad answers', async () => {
      await nomad.down()
      const { code, stdout } = await cli('doctor')
      assert.equal(code, 1)
      for (const line of ofNomad(stdout)) assert.match(line, /^bad .*ECONNREFUSED.*; remedy: ./)
      assert.equal(ofNomad(stdout).length, 3)
    })
  })

  describe('by check', () => {
    it('is nothing bad where all is there', async () => {
      nomad.variables.set(KEY, { value: 'x' })
      const { code, stdout, stderr } = await cli('check')
      assert.deepEqual([code, stderr], [0, ''])
      assert.doesNotMatch(stdout, /not looked at|could not be asked/)
      const { needs } = JSON.parse((await cli('check', '--json')).stdout) as { needs: object }
      assert.deepEqual(needs, { asked: true, unseen: [] })
    })

    it('is an error at its place in the file where Nomad lacks something', async () => {
      const { code, stderr } = await cli('check')
      assert.equal(code, 78)
      const remedy = `nomad var put ${KEY} value=@FILE`
      assert.equal(stderr, `${type}:8:9: Nomad has no variable ${KEY}: ${remedy}\n`)
    })

    it('is a note where the token may not see it', async () => {
      using _ = denied()
      const { code, stdout } = await cli('check')
      assert.equal(code, 0)
      assert.ok(stdout.split('\n').includes(`    note  ${HIDDEN}`), stdout)
    })

    it('is a warning where no Nomad answers', async () => {
      await nomad.down()
      const { code, stdout } = await cli('check')
      assert.equal(code, 0)
      assert.match(
        stdout,
        /warning {2}whether the scheduler nomad has what the task types name could not be asked: Nomad: .*ECONNREFUSED/,
      )
    })
  })

  describe('by task render', () => {
    it('is nothing: the job is shown, with the input, and without a value of a variable', async () => {
      const input = JSON.stringify({ greetId: '7', who: '${HOME}' })
      const args = ['task', 'render', 'greet', '--scheduler', 'nomad', '--input', input]
      const { code, stdout, stderr } = await cli(...args)
      const names = 'GREET_FOLDER, GREET_DATA, GREET_PASSWORD'
      assert.equal(code, 0, stderr)
      // The password has a dollar and a brace, which are sent to Nomad as something else.
      const doubt = 'a plain word: what it names may be translated otherwise'
      assert.deepEqual(stderr.split('\n'), [
        `Filled in at the start and not shown: ${names}.`,
        `Rendered as if GREET_PASSWORD were ${doubt}.`,
        '',
      ])
      assert.doesNotMatch(stdout, /hush/)
      const job = parse(stdout) as Json
      const task = (pointer: string) => atPointer(job, `/TaskGroups/0/Tasks/0${pointer}`)
      assert.equal(atPointer(job, '/Meta/longhaul.task-id'), 'greet/7')
      assert.equal(task('/Config/work_dir'), '${GREET_FOLDER}')
      assert.deepEqual(task('/Config/mount/2'), {
        type: 'bind',
        source: '${GREET_DATA}',
        target: '/data',
      })
      assert.equal(task('/Resources/MemoryMB'), 512)
      assert.equal(task('/Env/PASSWORD'), '${GREET_PASSWORD}')
      // What comes from the input is shown as it is sent: Nomad must not fill it in.
      assert.equal(task('/Env/WHO'), '${NOMAD_META_longhaul_dollar}{HOME}')
      assert.deepEqual(task('/Config/args'), ['--in', '${NOMAD_META_longhaul_dollar}{HOME}'])
      assert.deepEqual(nomad.asked, [])
      const json = await cli(...args, '--json')
      assert.deepEqual(JSON.parse(json.stdout), job)
    })
  })
})
