import { access, constants, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { schedulerAdapterContract } from '../../../contract/scheduler-adapter.ts'
import { ProcessHarness } from './process-harness.ts'

const abilities = { exitAfterStop: true, logTail: true, follow: true, withinMs: 5000 }

schedulerAdapterContract('processes', abilities, () => ProcessHarness.open())

// The shim must work under every shell that may be /bin/sh. A shell behaves as `sh` by its name.
for (const shell of await shellsHere()) {
  describe(`under ${shell.split('/').at(-1) ?? shell}`, () => {
    let folder: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'longhaul-shell-'))
      await symlink(shell, join(folder, 'sh'))
    })
    after(async () => {
      await rm(folder, { recursive: true })
    })
    schedulerAdapterContract('processes', abilities, () => ProcessHarness.open(join(folder, 'sh')))
  })
}

async function shellsHere(): Promise<readonly string[]> {
  const found: string[] = []
  for (const path of ['/bin/dash', '/bin/bash', '/bin/busybox', '/usr/bin/busybox'])
    if (await isExecutable(path)) found.push(path)
  const own = await readFile('/bin/sh')
  const others = []
  for (const path of found) if (!own.equals(await readFile(path))) others.push(path)
  return others
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
