import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { within } from '../../../contract/scheduler-adapter.ts'
import { ProcessHarness, never } from './process-harness.ts'

describe('the kill of a daemon', () => {
  let h: ProcessHarness
  beforeEach(async () => {
    h = await ProcessHarness.open()
  })
  afterEach(async () => {
    await h[Symbol.asyncDispose]()
  })

  /** Starts a daemon with these units and kills it when `when` resolves; gives what it said. */
  const killed = async (
    units: readonly UnitSpec[],
    when: (said: () => readonly string[]) => Promise<unknown>,
  ): Promise<readonly string[]> => {
    const script = fileURLToPath(new URL('daemon.ts', import.meta.url))
    const child = spawn(process.execPath, [script, h.directory, JSON.stringify(units)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const said = (): readonly string[] => output.split('\n').filter((name) => name !== '')
    const over = once(child, 'close')
    try {
      await when(said)
    } finally {
      child.kill('SIGKILL')
      await over
    }
    return said()
  }

  it('leaves its units running; the next one finds them, the ended ones too, and stops them', async () => {
    const [sleeping, ending] = [h.script('exec sleep 1000'), h.script('sleep 0.3; exit 9')]
    await killed([sleeping, ending], (said) =>
      within(10_000, 'both are started', () => Promise.resolve(said().length === 2 || undefined)),
    )
    const next = await h.reopen()
    assert.equal((await h.sight(sleeping, next))?.phase, 'running')
    assert.equal((await h.exitOf(ending, next)).code, 9)
    await next.stop(sleeping.name, never)
    const exit = await h.exitOf(sleeping, next)
    assert.deepEqual([exit.signal, exit.stopped], ['SIGTERM', true])
  })

  it('at any moment neither loses a unit nor runs one twice', async () => {
    for (let round = 0; round < 5; round += 1) {
      const units = Array.from({ length: 40 }, () => h.script('exit 0'))
      const said = await killed(units, async (names) => {
        await within(10_000, 'it has begun', () => Promise.resolve(names().length > 0 || undefined))
        // Not a wait for something: the moment of the kill.
        await sleep(Math.random() * 60)
      })
      const next = await h.reopen()
      const listed = (await next.list(never)).map(({ unit }) => unit)
      for (const name of said) assert(listed.includes(name), `${name} was confirmed`)
      for (const unit of units) await next.start(unit, never)
      for (const unit of units) {
        assert.equal((await h.exitOf(unit, next)).reason, 'completed')
        assert.equal(await h.runs(unit), 1)
        await next.remove(unit.name, never)
      }
    }
  })
})
