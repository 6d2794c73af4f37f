import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { loadDaemonConfig } from '../../src/config/daemon-config.ts'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { skipUnless } from '../support/services.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

interface StackFile {
  readonly services: Readonly<Record<string, StackService>>
  readonly configs: Readonly<Record<string, { readonly name: string; readonly file: string }>>
  readonly secrets: Readonly<Record<string, { readonly external?: boolean }>>
}

interface StackService {
  readonly secrets?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly stop_grace_period?: string
  readonly logging?: { readonly options?: object }
  readonly deploy?: {
    readonly resources?: { readonly limits?: { readonly cpus?: string; readonly memory?: string } }
    readonly restart_policy?: object
    readonly update_config?: { readonly order?: string }
    readonly placement?: { readonly constraints?: readonly string[] }
  }
  readonly volumes?: readonly unknown[]
}

const STACK = 'docker-stack.yml'
const VIDEO = 'examples/video/docker-stack.yml'

describe('the Dockerfile', () => {
  it('copies only what is there, and what .dockerignore lets in', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8')
    const ignore = await readFile(join(ROOT, '.dockerignore'), 'utf8')
    const letIn = [...ignore.matchAll(/^!(\S+)$/gm)].map(([, path]) => path!)
    const copied = [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, paths]) =>
      paths!.split(' '),
    )
    assert.ok(copied.length > 5)
    for (const path of copied) {
      await access(join(ROOT, path))
      const inside = letIn.some((one) => path === one || path.startsWith(`${one}/`))
      assert.ok(inside, `${path} is ignored`)
    }
  })
})

for (const files of [[STACK], [STACK, VIDEO]]) {
  describe(files.join(' and '), () => {
    const named = (flag: string) => files.flatMap((file) => [flag, file])

    it('is taken by docker’s own reading of stack files', async function () {
      const has = run('docker', ['stack', 'config', '--help']).then(
        ({ stdout }) => stdout.includes('stack config'),
        () => false,
      )
      skipUnless(this, 'docker stack config', await has, 'docker is older than 25, or not there')
      await run('docker', ['stack', 'config', ...named('-c')], { cwd: ROOT })
    })

    it('is taken by docker compose', async function () {
      const has = run('docker', ['compose', 'version']).then(
        () => true,
        () => false,
      )
      skipUnless(this, 'docker compose', await has, 'the plugin is not installed')
      await run('docker', ['compose', ...named('-f'), 'config', '-q'], { cwd: ROOT })
    })
  })
}

describe(VIDEO, () => {
  it('gives the daemon the example’s task type, which Swarm can honour', async () => {
    const stack = await read(VIDEO)
    assert.deepEqual(
      Object.values(stack.configs).map(({ file }) => join(ROOT, file)),
      [join(ROOT, 'examples/video/stack/encode-video.yml')],
    )
    const { types } = await loadTaskTypes(
      join(ROOT, 'examples/video/stack'),
      {},
      { imageRequired: true },
    )
    assert.deepEqual([...types.keys()], ['encode-video'])
  })

  it('has one task type for processes and for containers, but for where they run', async () => {
    const policies = await Promise.all(
      ['tasks', 'stack'].map(async (folder) => {
        const { types } = await loadTaskTypes(join(ROOT, 'examples/video', folder), {})
        const { type } = types.get('encode-video')!
        const { command, idPointer, input, inputEnvironment, concurrency, eventNames } = type
        return { command, idPointer, input, inputEnvironment, concurrency, eventNames }
      }),
    )
    assert.deepEqual(policies[0], policies[1])
  })

  it('installs for the application what the checkout itself is tested with', async () => {
    const dependenciesOf = async (file: string) =>
      JSON.parse(await readFile(join(ROOT, file), 'utf8')) as Record<string, Record<string, string>>
    const { dependencies } = await dependenciesOf('examples/video/package.json')
    const own = await dependenciesOf('package.json')
    for (const [name, version] of Object.entries(dependencies!)) {
      assert.equal(version, own['dependencies']![name] ?? own['devDependencies']![name], name)
    }
  })
})

async function read(file: string): Promise<StackFile> {
  return parse(await readFile(join(ROOT, file), 'utf8'), { merge: true }) as StackFile
}

describe(STACK, () => {
  let stack: StackFile

  before(async () => {
    stack = await read(STACK)
  })

  it('bounds every service, and says how it is stopped, started again and replaced', () => {
    for (const [name, service] of Object.entries(stack.services)) {
      const { deploy = {}, logging, stop_grace_period } = service
      assert.ok(deploy.resources?.limits?.cpus && deploy.resources.limits.memory, name)
      assert.ok(deploy.restart_policy && deploy.update_config?.order, name)
      assert.ok(stop_grace_period && logging?.options, name)
    }
  })

  it('keeps what has a volume on one node, and never runs two of it', () => {
    for (const [name, { deploy, volumes = [] }] of Object.entries(stack.services)) {
      if (!volumes.some((volume) => typeof volume === 'string')) continue
      assert.ok(deploy?.placement?.constraints?.includes('node.labels.longhaul.data == true'), name)
      assert.equal(deploy?.update_config?.order, 'stop-first', name)
    }
  })

  it('takes only secrets that prepare.sh makes', async () => {
    const script = await readFile(join(ROOT, 'deploy/stack/prepare.sh'), 'utf8')
    const made = [...script.matchAll(/^secret (\S+)$/gm)].map(([, name]) => name)
    assert.deepEqual(Object.keys(stack.secrets).sort(), made.sort())
    assert.ok(Object.values(stack.secrets).every(({ external }) => external))
  })

  it('names its configs anew with each change of a file', async () => {
    for (const { name, file: source } of Object.values(stack.configs)) {
      assert.match(name, /-\$\{LONGHAUL_FILES:-1\}$/)
      await access(join(ROOT, source))
    }
  })

  it('gives the daemon its file and every task type, all without a mistake for Swarm', async () => {
    const given = Object.values(stack.services).flatMap(({ configs = [] }) => configs)
    const at = (target: RegExp) =>
      given
        .filter((config) => target.test(config.target))
        .map(({ source }) => join(ROOT, stack.configs[source]!.file))
    const [daemon] = at(/^\/etc\/longhaul\/longhaul\.yml$/)
    const config = await loadDaemonConfig(daemon!)
    assert.equal(config.scheduler.kind, 'swarm')
    const { types } = await loadTaskTypes(config.tasks, {}, { imageRequired: true })
    assert.ok(types.size > 0)
    assert.deepEqual(
      at(/^\/etc\/longhaul\/tasks\/.*\.yml$/).sort(),
      [...types.values()].map((type) => type.file).sort(),
    )
  })
})
