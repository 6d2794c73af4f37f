import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { atPointer, type Json } from '../../src/core/json.ts'
import { temporaryFolder } from '../support/store.ts'
import { runCli } from './run-cli.ts'

const GREET = `
services:
  greet:
    command: [sh, -c, 'echo "$$WHO"']
    secrets: [key]
    environment: { PASSWORD: '\${GREET_PASSWORD}', PLAIN: '\${GREET_PLAIN:-plain}', INHERITED: }
    stop_grace_period: \${GREET_GRACE:-5s}
    x-task:
      command: hello/greet
      id: /greetId
      input:
        type: object
        required: [greetId, who]
        properties: { greetId: { type: string }, who: { type: string } }
      environment: { WHO: /who }
      arguments: [--in, { from: /who }]
secrets: { key: { external: true } }
`

describe('the commands on files', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let config: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    config = join(folder.path, 'longhaul.yml')
    await mkdir(join(folder.path, 'tasks'))
    await writeFile(config, 'tasks: ./tasks\n')
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  const write = (name: string, text: string) => writeFile(join(folder.path, 'tasks', name), text)
  const env = {
    GREET_PASSWORD: 'hush-hush',
    GREET_GRACE: '7s',
    INHERITED: 'hush-too',
  }
  const cli = (...args: string[]) => runCli([...args, '--config', config], { env })

  describe('check', () => {
    it('says that all is well, what there is, and what the scheduler cannot honour', async () => {
      await write('greet.yml', GREET)
      const { code, stdout, stderr } = await cli('check')
      assert.equal(stderr, '')
      assert.equal(code, 0)
      const lines = stdout.trimEnd().split('\n')
      assert.equal(lines[0], `ok  ${config}: 1 task type for the scheduler process`)
      assert.equal(lines[1], 'ok  greet  (hello/greet)')
      assert.match(lines[2]!, /^ {4}warning {2}secrets is not honoured by the process scheduler/)
      assert.equal(lines.length, 3)
      const json = JSON.parse((await cli('check', '--json')).stdout) as Record<string, unknown>
      assert.equal(json['ok'], true)
      assert.equal(json['scheduler'], 'process')
      const [type] = json['taskTypes'] as { name: string; warnings: string[] }[]
      assert.equal(type?.name, 'greet')
      assert.equal(type.warnings.length, 1)
    })

    it('names every mistake of every file with its place, and exits 78', async () => {
      await write('a.yml', 'services:\n  a:\n    command: [x]\n    ports: [80]\n    x-task: {}\n')
      await write('b.yml', 'services:\n  b:\n    comand: [x]\n    x-task: { retry: 5 }\n')
      const { code, stdout, stderr } = await cli('check')
      assert.equal(code, 78)
      assert.equal(stdout, '')
      const lines = stderr.trimEnd().split('\n')
      assert.ok(lines.length >= 3)
      for (const line of lines) assert.match(line, /\/[ab]\.yml:\d+:\d+: ./)
      const json = await cli('check', '--json')
      assert.equal(json.code, 78)
      const { ok, issues } = JSON.parse(json.stdout) as { ok: boolean; issues: object[] }
      assert.equal(ok, false)
      assert.equal(issues.length, lines.length)
    })

    it('says which schedulers there are where one is asked for that is not', async () => {
      await write('greet.yml', GREET)
      const { code, stderr } = await cli('check', '--scheduler', 'mesos')
      assert.equal(code, 78)
      assert.match(
        stderr,
        /--scheduler: the scheduler mesos is not built into this release.*process/,
      )
    })

    it('names what another scheduler would refuse, each at its place, and exits 78', async () => {
      await write(
        'a.yml',
        'services:\n  a:\n    command: [x]\n    deploy:\n      placement:\n        constraints:\n          - node.role == manager\n    x-task: { nomad: { driver: exec, cpu: 5 } }\n',
      )
      await write('b.yml', 'services:\n  b:\n    command: [x]\n    x-task: {}\n')
      const { code, stdout, stderr } = await cli('check', '--scheduler', 'nomad')
      assert.deepEqual([code, stdout], [78, ''])
      const [first = '', second = '', ...more] = stderr.trimEnd().split('\n')
      assert.match(
        first,
        /\/a\.yml:7:13: deploy\.placement\.constraints\[0\]: Nomad has nothing for/,
      )
      assert.match(second, /\/b\.yml:3:5: `image` is missing: the driver docker runs images/)
      assert.deepEqual(more, [])
      assert.equal((await cli('check')).code, 0)
    })

    it('names every place where it has looked for the daemon’s file', async () => {
      const { code, stderr } = await runCli(['check'], { cwd: folder.path })
      assert.equal(code, 78)
      assert.match(stderr, /--config.*LONGHAUL_CONFIG.*config\/longhaul\.yml/)
    })
  })

  describe('task render', () => {
    it('shows what the scheduler would be given, without the values of variables', async () => {
      await write('greet.yml', GREET)
      const input = '{"greetId":"7","who":"$(world)"}'
      const { code, stdout, stderr } = await cli('task', 'render', 'greet', '--input', input)
      assert.equal(code, 0)
      assert.doesNotMatch(stdout + stderr, /hush/)
      assert.equal(stderr, 'Filled in at the start and not shown: GREET_PASSWORD, INHERITED.\n')
      const rendered = parse(stdout) as { argv: string[]; environment: Record<string, string> }
      assert.deepEqual(rendered.argv, ['sh', '-c', 'echo "$WHO"', '--in', '$(world)'])
      assert.equal(rendered.environment['WHO'], '$(world)')
      assert.equal(rendered.environment['PASSWORD'], '${GREET_PASSWORD}')
      assert.equal(rendered.environment['INHERITED'], '${INHERITED}')
      assert.equal(rendered.environment['PLAIN'], 'plain')
      assert.equal(rendered.environment['LONGHAUL_TASK_ID'], 'greet/7')
      assert.equal((rendered as unknown as { stopGraceMs: number }).stopGraceMs, 7000)
      const json = await cli('task', 'render', 'greet', '--input', input, '--json')
      assert.deepEqual(JSON.parse(json.stdout), rendered)
    })

    it('shows what each scheduler would be given of one file', async () => {
      await write('greet.yml', GREET.replace('command:', 'image: sh\n    command:'))
      const input = '{"greetId":"7","who":"${HOME}"}'
      const shown = async (scheduler: string) => {
        const args = ['task', 'render', 'greet', '--input', input, '--scheduler', scheduler]
        const { code, stdout } = await cli(...args)
        assert.equal(code, 0, scheduler)
        return parse(stdout) as Json
      }
      const environment = atPointer(await shown('process'), '/environment/WHO')
      assert.equal(environment, '${HOME}')
      const swarm = atPointer(await shown('swarm'), '/TaskTemplate/ContainerSpec/Env')
      assert((swarm as string[]).includes('WHO=${HOME}'))
      const task = '/TaskGroups/0/Tasks/0'
      const nomad = await shown('nomad')
      assert.equal(atPointer(nomad, `${task}/Env/WHO`), '${NOMAD_META_longhaul_dollar}{HOME}')
      assert.equal(atPointer(nomad, `${task}/Meta/longhaul_dollar`), '$')
    })

    it('leaves out what comes from the input where there is none, and says so', async () => {
      await write('greet.yml', GREET)
      const { code, stdout, stderr } = await cli('task', 'render', 'greet')
      assert.equal(code, 0)
      assert.match(stderr, /Without --input/)
      assert.equal('WHO' in (parse(stdout) as { environment: object }).environment, false)
    })

    it('says of which variables the real job may be another', async () => {
      await write('greet.yml', GREET.replace('[sh, -c, \'echo "$$WHO"\']', '${GREET_PASSWORD}'))
      const args = ['task', 'render', 'greet', '--input', '{"greetId":"7","who":"x"}']
      const several = { ...env, GREET_PASSWORD: 'sh hush' }
      const { stdout, stderr } = await runCli([...args, '--config', config], { env: several })
      assert.doesNotMatch(stdout + stderr, /hush/)
      const [, doubt] = stderr.split('\n')
      const what = 'what it names may be translated otherwise'
      assert.equal(doubt, `Rendered as if GREET_PASSWORD were a plain word: ${what}.`)
    })

    it('answers an input that does not fit with 65 and every mistake', async () => {
      await write('greet.yml', GREET)
      const { code, stderr } = await cli('task', 'render', 'greet', '--input', '{"who":1}')
      assert.equal(code, 65)
      assert.match(stderr, /does not fit greet:\n {2}.*greetId.*\n {2}\/who: must be string\n$/)
    })

    it('names the types that there are where one is asked for that is not', async () => {
      await write('greet.yml', GREET)
      const { code, stderr } = await cli('task', 'render', 'greed')
      assert.equal(code, 1)
      assert.match(stderr, /no task type greed in .*which has: greet\n$/)
    })
  })
})
