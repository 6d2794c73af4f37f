import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireOrSkip } from '../support/services.ts'

/** A file system of its own that can be filled up. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Skips the test where nothing can be mounted. */
  static async mount(context: Mocha.Context, kilobytes: number): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'longhaul-disk-'))
    const options = `size=${kilobytes}k,mode=0700`
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], {
      encoding: 'utf8',
    })
    const ok = mounted.status === 0
    if (!ok) await rm(path, { recursive: true })
    requireOrSkip(context, 'small disk', ok, `mounting one fails: ${mounted.stderr.trim()}`)
    return new SmallDisk(path)
  }

  /** Leaves so much room, or not even for another block. */
  fill(roomKilobytes = 0): void {
    const spare = join(this.path, 'spare')
    writeFileSync(spare, Buffer.alloc(roomKilobytes * 1024))
    this.#fillUp()
    rmSync(spare)
  }

  #fillUp(): void {
    const filler = openSync(join(this.path, 'filler'), 'a')
    try {
      const block = Buffer.alloc(4096)
      for (;;) writeSync(filler, block)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(filler)
    }
  }

  makeRoom(): void {
    rmSync(join(this.path, 'filler'), { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Lazily: what was killed just now may still be on its way out.
    spawnSync('umount', ['-l', this.path])
    await rm(this.path, { recursive: true })
  }
}
