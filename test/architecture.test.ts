import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import ts from 'typescript'

const ROOT = resolve(import.meta.dirname, '..')

/** The table of imports of the design: what a layer may import beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/core': [],
  'src/ports': ['src/core'],
  'src/engine': ['src/ports', 'src/core'],
  'src/config': ['src/ports', 'src/core'],
  'src/http': ['src/engine', 'src/ports', 'src/core'],
  'adapters/store': ['src/ports', 'src/core'],
  'adapters/transport': ['src/ports', 'src/core'],
  // Beside the schedulers' own folders: what any of them may use.
  'adapters/scheduler': ['adapters/scheduler', 'src/ports', 'src/core'],
  'src/app': ['src/engine', 'src/http', 'src/config', 'adapters/', 'src/ports', 'src/core'],
  'src/cli': ['src/app', 'src/engine', 'src/http', 'src/config', 'src/ports', 'src/core'],
}

interface Import {
  readonly from: string
  readonly specifier: string
  /** The file of the checkout that it names; absent for packages and node's own. */
  readonly to?: string
}

interface Source {
  readonly path: string
  readonly imports: readonly Import[]
  readonly syntax: ts.SourceFile
}

function parse(path: string, text: string): Source {
  const syntax = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const specifiers: string[] = []
  const visit = (node: ts.Node): void => {
    const target =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
            ? node.argument.literal
            : undefined
    if (target !== undefined && ts.isStringLiteral(target)) specifiers.push(target.text)
    ts.forEachChild(node, visit)
  }
  visit(syntax)
  const imports = specifiers.map((specifier) => ({
    from: path,
    specifier,
    ...(specifier.startsWith('.') && { to: posix.join(posix.dirname(path), specifier) }),
  }))
  return { path, imports, syntax }
}

/** `adapters/scheduler/swarm`, `src/engine`: the layer, or the adapter, that a file is part of. */
function partOf(path: string): string {
  const [top = '', second = '', third = ''] = path.split('/')
  if (top !== 'adapters') return `${top}/${second}`
  // The store is one over several databases; schedulers and transports have a folder each.
  const whole = second === 'store' || third.endsWith('.ts')
  return whole ? `adapters/${second}` : `adapters/${second}/${third}`
}

function faultOf({ from, specifier, to }: Import): string | undefined {
  const part = partOf(from)
  const layer = part.split('/').slice(0, 2).join('/')
  const allowed = MAY_IMPORT[layer]
  const says = (why: string) => `${from} imports '${specifier}': ${why}`
  if (allowed === undefined) return from.startsWith('src/') ? undefined : says('no layer')
  if (to === undefined) {
    const node = layer === 'src/core' && isBuiltin(specifier)
    return node ? says('core is pure, it has no node:*') : undefined
  }
  const target = partOf(to)
  if (target === part) return undefined
  if (!to.startsWith('src/') && !to.startsWith('adapters/')) {
    return to.endsWith('.json') ? undefined : says('it is outside src and adapters')
  }
  // Files of src itself belong to no layer; they may import nothing (see below), so all may use them.
  if (dirname(to) === 'src') return undefined
  if (allowed.some((other) => (other.endsWith('/') ? to.startsWith(other) : target === other))) {
    return undefined
  }
  return says(`${layer} may import only ${['itself', ...allowed].join(', ')}`)
}

/** Every cycle of files, as the paths along it. */
function cyclesOf(sources: readonly Source[]): readonly string[] {
  const targets = new Map(
    sources.map(({ path, imports }) => [path, imports.flatMap(({ to }) => to ?? [])]),
  )
  const found: string[] = []
  const finished = new Set<string>()
  const visit = (path: string, along: readonly string[]): void => {
    if (along.includes(path)) {
      found.push([...along.slice(along.indexOf(path)), path].join(' → '))
      return
    }
    if (finished.has(path)) return
    for (const to of targets.get(path) ?? []) visit(to, [...along, path])
    finished.add(path)
  }
  for (const path of targets.keys()) visit(path, [])
  return found
}

function hasDefaultExport({ syntax }: Source): boolean {
  return syntax.statements.some(
    (statement) =>
      ts.isExportAssignment(statement) ||
      (ts.canHaveModifiers(statement) &&
        (ts.getModifiers(statement) ?? []).some(
          ({ kind }) => kind === ts.SyntaxKind.DefaultKeyword,
        )) ||
      (ts.isExportDeclaration(statement) &&
        statement.exportClause !== undefined &&
        ts.isNamedExports(statement.exportClause) &&
        statement.exportClause.elements.some(({ name }) => name.text === 'default')),
  )
}

/** It hands on what other files of the tree export, and says nothing itself. */
function isBarrel({ syntax }: Source): boolean {
  const said = syntax.statements.filter((statement) => !ts.isImportDeclaration(statement))
  return said.length > 0 && said.every((statement) => ts.isExportDeclaration(statement))
}

async function readSources(): Promise<readonly Source[]> {
  const found: Source[] = []
  for (const top of ['src', 'adapters']) {
    for (const entry of await readdir(join(ROOT, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const file = join(entry.parentPath, entry.name)
      found.push(parse(relative(ROOT, file).split(sep).join('/'), await readFile(file, 'utf8')))
    }
  }
  return found
}

/** What the npm package hands to users is the one place that collects exports. */
function packageEntries(): readonly string[] {
  const text = readFileSync(join(ROOT, 'package.json'), 'utf8')
  const { exports: entries = {} } = JSON.parse(text) as { exports?: unknown }
  const built = JSON.stringify(entries).matchAll(/"\.\/(?:dist\/)?(src\/[^"]+?)\.js"/g)
  return [...built].map(([, path]) => `${path ?? ''}.ts`)
}

describe('the one-way rule of imports', () => {
  let sources: readonly Source[]
  before(async () => {
    sources = await readSources()
  })

  it('holds for every file of src and adapters', () => {
    assert.ok(sources.length > 60, `only ${sources.length} files were found`)
    const faults = sources.flatMap(({ imports }) => imports.flatMap((one) => faultOf(one) ?? []))
    assert.deepEqual(faults, [])
  })

  it('knows every folder of src and adapters', () => {
    const layers = sources
      .map(({ path }) => path.split('/').slice(0, 2).join('/'))
      .filter((layer) => !layer.endsWith('.ts'))
    assert.deepEqual(
      [...new Set(layers)].filter((layer) => !(layer in MAY_IMPORT)),
      [],
    )
  })

  it('resolves every import of the checkout to a file that is there', () => {
    const known = new Set(sources.map(({ path }) => path))
    const lost = sources
      .flatMap(({ imports }) => imports)
      .filter(({ to }) => to?.endsWith('.json') === false && !known.has(to))
      .map(({ from, specifier }) => `${from} imports '${specifier}'`)
    assert.deepEqual(lost, [])
  })

  it('leaves no cycle among files', () => {
    assert.deepEqual(cyclesOf(sources), [])
  })

  it('leaves files that stand beside the layers without imports of the layers', () => {
    const entries = packageEntries()
    const faults = sources
      .filter(({ path }) => dirname(path) === 'src' && !entries.includes(path))
      .flatMap(({ imports }) => imports)
      .filter(({ to }) => to !== undefined && !to.endsWith('.json'))
      .map(({ from, specifier }) => `${from} imports '${specifier}'`)
    assert.deepEqual(faults, [])
  })

  it('has the package give away core and ports alone, and nothing here take it from there', () => {
    const entries = packageEntries()
    const faults = sources
      .flatMap(({ imports }) => imports)
      .filter(({ from, to }) =>
        entries.includes(from)
          ? !to?.startsWith('src/core/') && !to?.startsWith('src/ports/')
          : to !== undefined && entries.includes(to),
      )
      .map(({ from, specifier }) => `${from} imports '${specifier}'`)
    assert.deepEqual(faults, [])
  })
})

describe('the style of modules', () => {
  let sources: readonly Source[]
  before(async () => {
    sources = await readSources()
  })

  it('has no default exports', () => {
    assert.deepEqual(
      sources.filter(hasDefaultExport).map(({ path }) => path),
      [],
    )
  })

  it('has no barrels but what the package gives to users', () => {
    const entries = packageEntries()
    const barrels = sources.filter((source) => isBarrel(source) && !entries.includes(source.path))
    assert.deepEqual(
      barrels.map(({ path }) => path),
      [],
    )
  })

  it('names files in kebab-case', () => {
    const named = sources.filter(({ path }) => !/^([a-z0-9-]+\/)+[a-z0-9-]+\.ts$/.test(path))
    assert.deepEqual(
      named.map(({ path }) => path),
      [],
    )
  })
})

describe('the check of imports itself', () => {
  const faults = (path: string, text: string) =>
    parse(path, text).imports.flatMap((one) => faultOf(one) ?? [])

  const FORBIDDEN: readonly (readonly [path: string, text: string])[] = [
    ['src/core/a.ts', "import { readFile } from 'node:fs'"],
    ['src/core/compose/a.ts', "import type { Clock } from '../../ports/clock.ts'"],
    ['src/ports/a.ts', "export type { X } from '../engine/x.ts'"],
    ['src/engine/a.ts', "import { open } from '../../adapters/store/sqlite/open.ts'"],
    ['src/engine/a.ts', "import { x } from '../http/x.ts'"],
    ['src/engine/a.ts', "type T = import('../config/x.ts').T"],
    ['src/config/a.ts', "import { x } from '../engine/x.ts'"],
    ['src/http/a.ts', "import { x } from '../config/x.ts'"],
    ['src/cli/a.ts', "const x = await import('../../adapters/store/sqlite/open.ts')"],
    ['src/http/a.ts', "import { x } from '../app/x.ts'"],
    ['src/app/a.ts', "import { x } from '../cli/x.ts'"],
    ['adapters/store/sqlite/a.ts', "import { x } from '../../../src/engine/x.ts'"],
    ['adapters/scheduler/swarm/a.ts', "import { x } from '../nomad/x.ts'"],
    ['adapters/transport/rabbitmq/a.ts', "import { x } from '../embedded/x.ts'"],
    ['adapters/transport/embedded/a.ts', "import { x } from '../../store/sql/x.ts'"],
    ['src/engine/a.ts', "import { x } from '../../test/support/store.ts'"],
  ]

  for (const [path, text] of FORBIDDEN) {
    it(`names ${path} and its import for: ${text}`, () => {
      const [fault, ...more] = faults(path, text)
      assert.deepEqual(more, [])
      assert.ok(fault?.startsWith(`${path} imports '`), fault)
    })
  }

  it('lets through what the table allows', () => {
    assert.deepEqual(
      [
        ...faults('src/app/a.ts', "import { x } from '../../adapters/store/sqlite/open.ts'"),
        ...faults('src/http/a.ts', "import { x } from '../engine/x.ts'"),
        ...faults('src/engine/a.ts', "import { x } from 'node:crypto'; import '../ports/y.ts'"),
        ...faults('adapters/store/sqlite/a.ts', "import { x } from '../sql/driver.ts'"),
      ],
      [],
    )
  })

  it('sees cycles, default exports and barrels', () => {
    const a = parse('src/core/a.ts', "import { b } from './b.ts'")
    const b = parse('src/core/b.ts', "export { a } from './a.ts'")
    assert.deepEqual(cyclesOf([a, b]), ['src/core/a.ts → src/core/b.ts → src/core/a.ts'])
    assert.ok(isBarrel(b) && !isBarrel(a))
    for (const text of ['export default 1', 'export default class {}', 'export { x as default }']) {
      assert.ok(hasDefaultExport(parse('src/core/c.ts', text)), text)
    }
    assert.ok(!hasDefaultExport(parse('src/core/c.ts', 'export const x = 1')))
  })
})
