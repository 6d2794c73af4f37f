import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireOrSkip, skipUnless } from '../support/services.ts'
import { exampleFile, folderOf, ROOT } from './files.ts'

const run = promisify(execFile)

async function works(...args: string[]): Promise<boolean> {
  try {
    await run('docker', args)
    return true
  } catch {
    return false
  }
}

/** Everything that we say is a Compose file. */
async function ours(): Promise<Readonly<Record<string, string>>> {
  const folder = join(ROOT, 'config/tasks')
  const shipped = await Promise.all(
    (await readdir(folder)).map(
      async (name) => [name, await readFile(join(folder, name), 'utf8')] as const,
    ),
  )
  return Object.fromEntries([...shipped, ['example.yml', await exampleFile()]])
}

describe('Docker’s own readers', () => {
  it('of stack files take what is shipped and the example', async function () {
    requireOrSkip(
      this,
      'docker CLI',
      await works('stack', 'config', '--help'),
      'docker stack config',
    )
    await using folder = await folderOf(await ours())
    for (const name of await readdir(folder.path)) {
      await run('docker', ['stack', 'config', '-c', join(folder.path, name)])
    }
  })

  it('of Compose files take what is shipped and the example', async function () {
    skipUnless(
      this,
      'Compose v2',
      await works('compose', 'version'),
      'docker compose is not installed',
    )
    await using folder = await folderOf(await ours())
    for (const name of await readdir(folder.path)) {
      await run('docker', ['compose', '-f', join(folder.path, name), 'config', '-q'])
    }
  })
})
