import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { PLAIN, TYPED, WRONG } from './scratch-sources.ts'

const ROOT = join(import.meta.dirname, '../..')
const MODULES = join(ROOT, 'node_modules')
const TSC = join(MODULES, 'typescript/bin/tsc')
/** What npm says where there is no registry: a machine on a train. */
const NO_REGISTRY = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED)\b/

interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever its exit code, without what the test run itself is told. */
async function run(cwd: string, file: string, ...args: readonly string[]): Promise<Ran> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|LONGHAUL_)/.test(name)),
  )
  // The package's bin says `node`: this one, whatever the machine's own is.
  env['PATH'] = `${dirname(process.execPath)}:${env['PATH'] ?? ''}`
  const options = { cwd, env, timeout: 120_000, maxBuffer: 32 * 1024 * 1024 }
  return promisify(execFile)(file, args, options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => {
      const { code, stdout = '', stderr = '' } = error as Partial<Ran>
      if (typeof code !== 'number') throw error
      return { code, stdout, stderr }
    },
  )
}

async function runWell(cwd: string, file: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, file, ...args)
  assert.equal(code, 0, `${file} ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

/**
 * Packs a copy of the checkout, as a publisher would: the build starts from nothing, and whoever else
 * works in the checkout finds nothing changed.
 */
async function pack(folder: string): Promise<Packed> {
  const copy = join(folder, 'checkout')
  const apart = new Set(['node_modules', '.git', 'dist', 'data'])
  await cp(ROOT, copy, {
    recursive: true,
    filter: (path) => !apart.has(relative(ROOT, path).split(sep)[0] ?? ''),
  })
  await symlink(MODULES, join(copy, 'node_modules'))
  const said = await runWell(copy, 'npm', 'pack', '--json', '--pack-destination', folder)
  // An array up to npm 11, an object by package name after it; either way one package.
  const [packed] = Object.values(JSON.parse(said) as Record<string, Packed>)
  assert.ok(packed)
  return packed
}

/** Installs the tarball from the registry; where there is none, with this checkout's dependencies. */
async function install(app: string, tarball: string): Promise<void> {
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel', 'error']
  const { code, stdout, stderr } = await run(app, 'npm', 'install', ...quiet, tarball)
  if (code === 0) return
  assert.match(stderr, NO_REGISTRY, `${stdout}${stderr}`)
  process.stderr.write('    no npm registry: installed with the dependencies of the checkout\n')
  const own = join(app, 'node_modules/longhaul')
  await mkdir(join(app, 'node_modules/.bin'), { recursive: true })
  await mkdir(own)
  await runWell(app, 'tar', '-xzf', tarball, '-C', own, '--strip-components=1')
  const { bin, dependencies } = JSON.parse(
    await readFile(join(own, 'package.json'), 'utf8'),
  ) as Record<'bin' | 'dependencies', Record<string, string>>
  const main = join(own, bin['longhaul']!)
  await chmod(main, 0o755) // as npm does
  await symlink(main, join(app, 'node_modules/.bin/longhaul'))
  for (const name of Object.keys(dependencies)) await link(app, name)
}

async function link(app: string, name: string): Promise<void> {
  const at = join(app, 'node_modules', name)
  await mkdir(dirname(at), { recursive: true })
  // Some dependency may have brought one of another version.
  await rm(at, { recursive: true, force: true })
  await symlink(join(MODULES, name), at)
}

describe('the npm package', function () {
  this.timeout(180_000)
  let folder: string
  let app: string
  let packed: Packed
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhaul-package-'))
    app = join(folder, 'app')
    await mkdir(app)
    packed = await pack(folder)
    const manifest = { name: 'scratch', version: '1.0.0', private: true, type: 'module' }
    await writeFile(join(app, 'package.json'), JSON.stringify(manifest))
    await install(app, join(folder, packed.filename))
    // Of the application's own: every one in TypeScript on Node has them.
    await link(app, '@types/node')
  })
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

  it('holds what users need and nothing else', () => {
    const paths = packed.files.map(({ path }) => path)
    for (const needed of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'docs/task-types.md',
      'schema/longhaul.schema.json',
      'schema/task-type.schema.json',
      'config/longhaul.yml',
      'examples/demo/tasks/compress-file.yml',
      'dist/src/index.js',
      'dist/src/index.d.ts',
    ]) {
      assert.ok(paths.includes(needed), `${needed} is missing`)
    }
    const known =
      /^(dist\/(src|adapters|examples\/demo)\/.+(\.js|\.d\.ts)|dist\/package\.json|(schema|config|docs|examples\/demo\/tasks)\/.+\.(json|yml|md)|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/
    assert.deepEqual(
      paths.filter((path) => !known.test(path)),
      [],
    )
    assert.deepEqual(
      paths.filter((path) => /\btest\b|\.test\.|(?<!\.d)\.ts$/.test(path)),
      [],
    )
  })

  it('names no path of the machine that built it, and no module that was left behind', async () => {
    const own = join(app, 'node_modules/longhaul')
    const wrong: string[] = []
    for (const { path } of packed.files) {
      const text = await readFile(join(own, path), 'utf8')
      if ([MODULES, folder].some((secret) => text.includes(secret))) wrong.push(path)
      // In declarations TypeScript finds `x.d.ts` behind './x.ts'; Node finds nothing.
      if (path.endsWith('.js') && /(from|import\() ?'\.[^']*\.ts'/.test(text)) wrong.push(path)
    }
    assert.deepEqual(wrong, [])
  })

  it('gives types that a strict application compiles with, and that see its mistakes', async () => {
    await writeFile(join(app, 'typed.ts'), TYPED)
    await writeFile(join(app, 'wrong.ts'), WRONG)
    const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes']
    const modern = ['--module', 'nodenext', '--target', 'es2024', '--types', 'node']
    // Libraries are checked too: what our declarations name must be there.
    const options = [TSC, ...strict, ...modern, '--skipLibCheck', 'false']
    const { stdout } = await run(app, process.execPath, ...options, 'typed.ts', 'wrong.ts')
    const errors = [...stdout.matchAll(/^(\S[^(:]*)\((\d+),/gm)].map(([, file, line]) => [
      file,
      line,
    ])
    const lines = ['3', '4', '5', '6']
    assert.deepEqual(
      errors,
      lines.map((line) => ['wrong.ts', line]),
      stdout,
    )
  })

  it('gives plain JavaScript its messages, one class for each that is documented', async () => {
    await writeFile(join(app, 'plain.js'), PLAIN)
    const said = JSON.parse(await runWell(app, process.execPath, 'plain.js')) as Readonly<
      Record<string, unknown>
    >
    assert.deepEqual(said['command'], {
      $name: 'longhaul/run-task',
      $version: 1,
      taskType: 'encode',
      input: { source: 'a.mkv' },
    })
    assert.deepEqual(said['event'], {
      $name: 'longhaul/task-exited',
      $version: 1,
      taskId: 'encode/42',
      attempt: 1,
      exit: { reason: 'failed', fault: 'task', code: 3, at: '2030-01-01T00:00:00.000Z' },
    })
    assert.deepEqual(said['named'], said['documented'])
  })

  it('has a bin that says its version and checks files', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      readonly version: string
    }
    const longhaul = (...args: readonly string[]) =>
      run(app, 'npx', '--no-install', 'longhaul', ...args)
    assert.equal((await longhaul('--version')).stdout.trim(), version)

    await mkdir(join(app, 'config/tasks'), { recursive: true })
    await writeFile(join(app, 'config/longhaul.yml'), 'data: ../data\ntasks: ./tasks\n')
    const type = (more: string) =>
      `services:\n  greet:\n    command: [echo, hello]\n    x-task: { command: hello/greet${more} }\n`
    await writeFile(join(app, 'config/tasks/greet.yml'), type(''))
    const good = await longhaul('check')
    assert.match(good.stdout, /greet\s+\(hello\/greet\)/)
    assert.equal(good.code, 0, good.stderr)
    await writeFile(join(app, 'config/tasks/greet.yml'), type(', retires: 3'))
    const bad = await longhaul('check')
    assert.equal(bad.code, 78)
    assert.match(bad.stderr, /greet\.yml:4:\d+: .*retires/)
  })

  it('shows the demo', async () => {
    const said = await runWell(app, 'npx', '--no-install', 'longhaul', 'demo')
    assert.match(said, /All four as told\./)
  })
})
