import { execFile } from 'node:child_process'
import { access, chmod, copyFile, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The image that tasks of tests run in: busybox, with a link for each of its commands in /bin. */
export const TASK_IMAGE = 'busybox:1.36'

/** Puts a static busybox into the folder, and gives its path. */
export async function placeBusybox(folder: string): Promise<string> {
  const path = join(folder, 'busybox')
  await copyFile(await busyboxBinary(folder), path)
  await chmod(path, 0o755)
  return path
}

/** The root of the image as an archive for `docker import`, made in the folder that has a busybox. */
export async function taskImageArchive(folder: string): Promise<string> {
  const busybox = join(folder, 'busybox')
  const root = join(folder, 'root')
  for (const name of ['bin', 'tmp', 'etc']) await mkdir(join(root, name), { recursive: true })
  await copyFile(busybox, join(root, 'bin/busybox'))
  const { stdout } = await run(busybox, ['--list'])
  for (const applet of stdout.split('\n').filter((one) => one !== '' && one !== 'busybox')) {
    await symlink('busybox', join(root, 'bin', applet))
  }
  const archive = join(folder, 'root.tar')
  await run('tar', ['-C', root, '-cf', archive, '.'])
  return archive
}

/** A static one: the machine's own where there is one, else Debian's package, unpacked. */
async function busyboxBinary(folder: string): Promise<string> {
  const own = '/bin/busybox'
  try {
    await access(own)
    // Of a dynamic one ldd names the libraries, of a static one it says so and fails.
    await run('ldd', [own])
  } catch (error) {
    if (String((error as { stderr?: string }).stderr).includes('not a dynamic')) return own
  }
  const unpacked = join(folder, 'package')
  await mkdir(unpacked)
  await run('apt-get', ['download', '-qq', 'busybox-static'], { cwd: unpacked })
  const [file] = (await readdir(unpacked)).filter((name) => name.endsWith('.deb'))
  if (file === undefined) throw new Error('apt-get download brought no busybox-static')
  await run('dpkg-deb', ['-x', join(unpacked, file), unpacked])
  return join(unpacked, 'bin/busybox')
}
