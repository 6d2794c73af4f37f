import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandOf } from '../support/daemon.ts'

const ROOT = join(import.meta.dirname, '../..')

describe('npm run demo', function () {
  this.timeout(60_000)

  it('tells its four stories in under 30 s, exits with 0 and leaves nothing behind', async () => {
    // A folder of its own for what is temporary: whatever it leaves is seen, by this run alone.
    const temporary = await mkdtemp(join(tmpdir(), 'longhaul-test-demo-'))
    try {
      const begun = performance.now()
      const demo = spawn('npm', ['run', 'demo'], {
        cwd: ROOT,
        env: { ...process.env, TMPDIR: temporary },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let said = ''
      for (const stream of [demo.stdout, demo.stderr]) {
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          said += chunk
        })
      }
      const [code] = (await once(demo, 'close')) as [number]
      assert.equal(code, 0, said)
      assert.ok(performance.now() - begun < 30_000)
      for (const part of [
        /plain +SUCCEEDED/,
        /killed +attempt 1 ended: killed SIGKILL/,
        /killed +attempt 2 started[^]*killed +SUCCEEDED/,
        /missing +attempt 1 ended: failed 66[^]*missing +FAILED/,
        /unwanted +CANCELLED/,
      ]) {
        assert.match(said, part)
      }
      assert.doesNotMatch(said, /missing +attempt 2/)
      const left = await readdir(temporary)
      assert.deepEqual(
        left.filter((name) => name.startsWith('longhaul')),
        [],
      )
      assert.deepEqual(await processesThatName(temporary), [])
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  })
})

/** Command lines and environments that hold the text. */
async function processesThatName(text: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    const command = await commandOf(Number(pid))
    if (`${command}${environment}`.includes(text)) found.push(`${pid} ${command}`)
  }
  return found
}
