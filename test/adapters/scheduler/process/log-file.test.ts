import assert from 'node:assert/strict'
import { appendFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  LOG_LIMIT_BYTES,
  cutLog,
  logTail,
} from '../../../../adapters/scheduler/process/log-file.ts'
import { within } from '../../../contract/scheduler-adapter.ts'
import { ProcessHarness, never } from './process-harness.ts'

describe('a log', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'longhaul-log-'))
    path = join(folder, 'log')
  })
  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('ends with so many bytes, from the beginning of a character on', async () => {
    await writeFile(path, 'äöü€')
    assert.equal(await logTail(path, 3), '€')
    assert.equal(await logTail(path, 4), '€')
    assert.equal(await logTail(path, 5), 'ü€')
    assert.equal(await logTail(path, 100), 'äöü€')
    assert.equal(await logTail(path, 0), '')
  })

  it('has what is no text replaced, and need not be there', async () => {
    await writeFile(path, Buffer.from([0x61, 0xff, 0xfe, 0x62]))
    assert.equal(await logTail(path, 10), 'a\ufffd\ufffdb')
    assert.equal(await logTail(join(folder, 'none'), 10), '')
  })

  it('is cut in place above its limit, so that its writer goes on behind the newest half', async () => {
    await writeFile(path, 'old'.repeat(LOG_LIMIT_BYTES / 3))
    assert.equal(await cutLog(path), 0)
    const writer = await open(path, 'a')
    try {
      await writer.write('the newest line\n')
      assert((await cutLog(path)) > 0)
      await writer.write('another\n')
    } finally {
      await writer.close()
    }
    assert.equal((await stat(path)).size, LOG_LIMIT_BYTES / 2 + 'another\n'.length)
    assert.match(await readFile(path, 'utf8'), /ldthe newest line\nanother\n$/)
    assert.equal(await cutLog(path), 0)
  })

  it('that was cut is followed on without a gap or a repetition', async () => {
    await using h = await ProcessHarness.open()
    const unit = h.script('exec sleep 1000')
    await h.startRunning(unit)
    const log = join(h.folder(unit), 'log')
    await appendFile(log, `${'x'.repeat(LOG_LIMIT_BYTES + 1)}\n`)
    let text = ''
    const following = (async () => {
      for await (const chunk of h.adapter.logs(unit.name, {
        tailBytes: 10,
        follow: true,
        signal: never,
      }))
        text += chunk
    })()
    await within(5000, 'its end is read', () =>
      Promise.resolve(text === 'xxxxxxxxx\n' || undefined),
    )
    // The end of a unit bounds its log as well: here it is seen by a follower at once.
    await appendFile(log, 'last\n')
    await h.adapter.stop(unit.name, never)
    await following
    assert.equal(text, 'xxxxxxxxx\nlast\n')
    assert((await stat(log)).size < LOG_LIMIT_BYTES)
  })
})
