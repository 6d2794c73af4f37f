import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, rename, rm, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { within } from '../../../contract/scheduler-adapter.ts'
import { bootId, signalProcess } from '../../../../adapters/scheduler/process/processes.ts'
import { Rejected } from '../../../../src/core/errors.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { ProcessHarness, never } from './process-harness.ts'

/** Each test puts a folder into the state in which a kill would have left it (unit-folder.ts). */
describe('a unit of processes that was broken off', () => {
  let h: ProcessHarness
  beforeEach(async () => {
    h = await ProcessHarness.open()
  })
  afterEach(async () => {
    await h[Symbol.asyncDispose]()
  })

  /** A folder as it stands before the shim has claimed it: made by a unit that was run and undone. */
  const specified = async (unit: UnitSpec): Promise<void> => {
    const draft = h.command(['true'])
    await h.adapter.start(
      { ...draft, identity: unit.identity, service: { ...unit.service, command: ['true'] } },
      never,
    )
    await h.exitOf(draft)
    for (const name of await readdir(h.folder(draft)))
      if (name === 'started' || name.startsWith('exit.')) await unlink(join(h.folder(draft), name))
    await rename(h.folder(draft), h.folder(unit))
  }
  const age = async (unit: UnitSpec, name: string, seconds: number): Promise<void> => {
    const at = Date.now() / 1000 - seconds
    await utimes(join(h.folder(unit), name), at, at)
  }
  const statOf = (pid: number): string =>
    `${pid} (sh) S 1 ${pid} ${pid} 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0\n`
  const claimOf = async (pid: number, boot?: string): Promise<string> =>
    `${boot ?? (await bootId())} ${statOf(pid)}`
  const aDeadPid = 4_194_303

  it('after mkdir is not listed, and the next start goes on', async () => {
    const unit = h.script('exit 0')
    await mkdir(h.folder(unit))
    await h.write(unit, 'spec.0123456789ab', '{"half')
    assert.equal(await h.sight(unit), undefined)
    await h.adapter.start(unit, never)
    assert.equal((await h.exitOf(unit)).reason, 'completed')
    assert.equal(await h.runs(unit), 1)
  })

  it('after mkdir and never begun again is deleted by an opening an hour later', async () => {
    const unit = h.script('exit 0')
    await mkdir(h.folder(unit))
    await h.reopen()
    await age(unit, '.', 3500)
    await h.reopen()
    await readdir(h.folder(unit))
    await age(unit, '.', 3700)
    await h.reopen()
    await assert.rejects(readdir(h.folder(unit)))
  })

  it('after its spec is pending, and the next start runs it once', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    assert.equal((await h.sight(unit))?.phase, 'pending')
    assert.equal(await h.runs(unit), 0)
    const other = await h.reopen()
    await Promise.all([h.adapter.start(unit, never), other.start(unit, never)])
    assert.equal((await h.exitOf(unit)).reason, 'completed')
    assert.equal(await h.runs(unit), 1)
  })

  it('after its spec and refuses another identity all the same', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    const other = { ...unit, identity: { ...unit.identity, attempt: 2 } }
    await assert.rejects(h.adapter.start(other, never), Rejected)
  })

  it('after its spec and never begun again is interrupted a minute later, for good', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await age(unit, 'spec', 61)
    assert.equal((await h.exitOf(unit)).reason, 'interrupted')
    await h.adapter.start(unit, never)
    assert.equal((await h.exitOf(unit)).reason, 'interrupted')
    assert.equal(await h.runs(unit), 0)
  })

  it('after its spec and is then stopped, never runs', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.adapter.stop(unit.name, never)
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['interrupted', true])
    await h.adapter.start(unit, never)
    assert.equal(await h.runs(unit), 0)
  })

  it('after a power cut that left its spec empty is begun again', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'spec')
    assert.equal(await h.sight(unit), undefined)
    await h.adapter.start(unit, never)
    assert.equal((await h.exitOf(unit)).reason, 'completed')
  })

  it('after the creation of its claim has not run', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'started')
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['interrupted', false])
    await h.adapter.start(unit, never)
    assert.equal(await h.runs(unit), 0)
  })

  it('after its claim has been killed, which is no success', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'started', await claimOf(aDeadPid))
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['killed', false])
  })

  it('after a claim that says why no program follows never looks as if it ran', async () => {
    const stat = await readFile('/proc/self/stat', 'latin1')
    for (const [word, message] of [
      ['missing', /not found/],
      ['not-executable', /not an executable/],
      ['no-directory', /working_dir/],
    ] as const) {
      const unit = h.script('exit 0')
      await specified(unit)
      await h.write(unit, 'started', `${await bootId()} ${word} ${stat}`)
      assert.equal((await h.sight(unit))?.phase, 'pending', 'its shim lives')
      await h.write(unit, 'started', `${await bootId()} ${word} ${statOf(aDeadPid)}`)
      const exit = await h.exitOf(unit)
      assert.deepEqual([exit.reason, exit.stopped], ['start-failed', false])
      assert.match(exit.message ?? '', message)
      assert.equal(await h.runs(unit), 0)
    }
  })

  it('with the claim of a process whose pid another now has is over, and that one is left alone', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'started', await claimOf(process.pid))
    await h.adapter.stop(unit.name, never)
    assert.equal((await h.exitOf(unit)).reason, 'killed')
    await h.adapter.remove(unit.name, never)
  })

  it('with the claim of another boot was interrupted', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'started', await claimOf(process.pid, 'another-boot'))
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['interrupted', false])
  })

  it('by the kill of its shim goes on as long as its program does', async () => {
    const unit = h.script('exec sleep 1000')
    await h.startRunning(unit)
    const shim = await h.shim(unit)
    signalProcess(shim, 9)
    await within(5000, 'the shim is gone', async () => {
      const seen = await h.sight(unit)
      assert.equal(seen?.phase, 'running')
      return (await processState(shim)) === undefined || undefined
    })
    assert.equal((await h.sight(unit))?.phase, 'running')
    await h.adapter.stop(unit.name, never)
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['killed', true])
  })

  it('by the kill of its shim and then removed, leaves nothing running', async () => {
    const unit = h.script('exec sleep 1000')
    await h.startRunning(unit)
    const shim = await h.shim(unit)
    signalProcess(shim, 9)
    await h.adapter.remove(unit.name, never)
    assert.equal(await groupState(shim), 'empty')
  })

  it('by the kill of its whole group is told at once by the adapter that started it', async () => {
    const unit = h.script('exec sleep 1000')
    const given = new AbortController()
    const stream = await h.adapter.watch(given.signal)
    await h.startRunning(unit)
    signalProcess(-(await h.shim(unit)), 9)
    for await (const seen of stream)
      if (seen.phase === 'exited') {
        assert.equal(seen.exit.reason, 'killed')
        assert.match(seen.exit.message ?? '', /not known/)
        given.abort()
      }
  })

  it('after a stop was asked for is signalled by the next list', async () => {
    const unit = h.script('exec sleep 1000')
    await h.startRunning(unit)
    await h.write(unit, 'stopping')
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.signal, exit.stopped], ['SIGTERM', true])
  })

  it('after its stop signal is killed by the next daemon when its grace is over', async () => {
    const unit = h.script('trap "" TERM; while :; do sleep 1000; done', { stopGraceMs: 60_000 })
    await h.startRunning(unit)
    const stopping = new Date()
    await h.adapter.stop(unit.name, never)
    await h.adapter[Symbol.asyncDispose]()
    const next = await h.reopen()
    assert.equal((await h.sight(unit, next))?.phase, 'running')
    await utimes(join(h.folder(unit), 'stopping'), stopping, new Date(Date.now() - 60_000))
    const last = await h.reopen()
    const exit = await h.exitOf(unit, last)
    assert.deepEqual([exit.signal, exit.stopped, exit.code], ['SIGKILL', true, undefined])
    await last.remove(unit.name, never)
    Object.assign(h, { adapter: last })
  })

  it('is signalled once, however often it is stopped', async () => {
    const unit = h.script('exec 2>/dev/null; trap "echo heard" TERM; while :; do sleep 0.01; done')
    await h.startRunning(unit)
    await h.adapter.stop(unit.name, never)
    await within(5000, 'it was heard', async () =>
      (await h.file(unit, 'log')) === 'heard\n' ? true : undefined,
    )
    await h.adapter.stop(unit.name, never)
    await (await h.reopen()).stop(unit.name, never)
    await h.adapter.list(never)
    assert.equal(await h.file(unit, 'log'), 'heard\n')
  })

  it('keeps what it has once said of its end', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await h.write(unit, 'started', await claimOf(aDeadPid))
    const first = await h.exitOf(unit)
    await h.write(unit, 'started', await claimOf(aDeadPid, 'another-boot'))
    assert.deepEqual((await h.exitOf(unit)).reason, first.reason)
  })

  it('while it was removed is deleted by the next opening', async () => {
    const unit = h.script('exit 0')
    await specified(unit)
    await rename(h.folder(unit), join(h.directory, 'units/.trash/left'))
    const next = await h.reopen()
    assert.deepEqual(await readdir(join(h.directory, 'units/.trash')), [])
    assert.deepEqual(await next.list(never), [])
  })

  it('of another installation is neither shown, nor stopped, nor removed', async () => {
    const unit = h.script('exec sleep 1000')
    await h.startRunning(unit)
    const spec = JSON.parse((await h.file(unit, 'spec'))!) as { identity: object }
    const foreign = { ...spec, identity: { ...spec.identity, installation: 'another' } }
    await h.write(unit, 'spec', JSON.stringify(foreign))
    assert.deepEqual(await h.adapter.list(never), [])
    await h.adapter.stop(unit.name, never)
    await h.adapter.remove(unit.name, never)
    assert.equal(await processState(await h.shim(unit)), 'alive')
    await h.write(unit, 'spec', JSON.stringify(spec))
  })

  it('lives in a folder that has one id, whoever opens it', async () => {
    const [one, two] = await Promise.all([h.reopen(), h.reopen()])
    assert.match(one.folderId, /^[0-9a-f-]{36}$/)
    assert.deepEqual([one.folderId, two.folderId], [h.adapter.folderId, h.adapter.folderId])
    await rm(join(h.directory, 'units/.id'))
    assert.notEqual((await h.reopen()).folderId, h.adapter.folderId)
  })
})

async function processState(pid: number): Promise<'alive' | undefined> {
  try {
    return / [ZX] /.test(await readFile(`/proc/${pid}/stat`, 'utf8')) ? undefined : 'alive'
  } catch {
    return undefined
  }
}

/** Zombies that nobody has reaped yet do not run. */
async function groupState(group: number): Promise<'empty' | 'alive'> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const match = /\) (\S) \d+ (\d+) /.exec(stat)
    if (match !== null && Number(match[2]) === group && match[1] !== 'Z') return 'alive'
  }
  return 'empty'
}
