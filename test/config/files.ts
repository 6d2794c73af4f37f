import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, formatIssue } from '../../src/core/errors.ts'

export const ROOT = join(import.meta.dirname, '../..')

/** A folder of its own with these files, gone when it is disposed of. */
export async function folderOf(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'longhaul-config-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

/** What is wrong, one line each as the user sees it, the folder left out; empty where nothing is. */
export async function mistakes(folder: string, load: () => Promise<unknown>): Promise<string[]> {
  try {
    await load()
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.issues.map((issue) => formatIssue(issue).replaceAll(`${folder}/`, ''))
  }
}

/** The example of the reference: the contract's own. */
export async function exampleFile(): Promise<string> {
  const page = await readFile(join(ROOT, 'docs/task-types.md'), 'utf8')
  return /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
}
