import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { Rejected, Unavailable } from '../../src/core/errors.ts'
import type { ObservedExit } from '../../src/core/exit.ts'
import type { Service } from '../../src/core/task-type.ts'
import type { Observation, UnitSpec } from '../../src/core/unit.ts'
import type { SchedulerAdapter } from '../../src/ports/scheduler-adapter.ts'

/** A scheduler under test. Disposing it ends every adapter that it gave and removes every unit. */
export interface SchedulerHarness extends AsyncDisposable {
  readonly adapter: SchedulerAdapter
  /** Another adapter on the same scheduler and installation, as another daemon would open it. */
  reopen(): Promise<SchedulerAdapter>
  /** A unit of a name and identity of its own, that behaves as its program says and leaves a mark when it starts. */
  unit(program: Program): UnitSpec
  /** How often the unit's program has really begun to run. */
  runs(unit: UnitSpec): Promise<number>
}

export type Program =
  | { readonly does: 'succeed' }
  | { readonly does: 'exit'; readonly code: number }
  /** Writes the lines and then exits with a code, or sleeps. */
  | { readonly does: 'write'; readonly lines: readonly string[]; readonly exitCode?: number }
  /** Runs until it is stopped, and ends at its stop signal. */
  | { readonly does: 'sleep' }
  /** Runs on, whatever signal comes; its grace is short. */
  | { readonly does: 'ignore-stop' }
  /** Its command does not exist. */
  | { readonly does: 'not-exist' }

/** What not every scheduler can be asked for; a test that needs what is missing is not made. */
export interface SchedulerAbilities {
  /** An exit carries the exit code of a program that was stopped. */
  readonly exitAfterStop: boolean
  /** An exit carries the end of the program's output. */
  readonly logTail: boolean
  /** Follows a unit's output while it runs. */
  readonly follow: boolean
  /** How long a change may take to arrive on the watch, or in a list. */
  readonly withinMs: number
}

const never = new AbortController().signal

/** Every sentence of the port, as a test that any adapter must pass. */
export function schedulerAdapterContract(
  name: string,
  abilities: SchedulerAbilities,
  open: () => Promise<SchedulerHarness>,
): void {
  describe(`${name} as a scheduler adapter`, () => {
    let harness: SchedulerHarness
    let adapter: SchedulerAdapter
    beforeEach(async () => {
      harness = await open()
      adapter = harness.adapter
    })
    afterEach(async () => {
      await harness[Symbol.asyncDispose]()
    })

    const sight = async (unit: UnitSpec, by = adapter): Promise<Observation | undefined> =>
      (await by.list(never)).find((seen) => seen.unit === unit.name)
    const until = async (unit: UnitSpec, phase: Observation['phase']): Promise<Observation> =>
      await eventually(`${unit.name} ${phase}`, async () => {
        const seen = await sight(unit)
        return seen?.phase === phase ? seen : undefined
      })
    /** Waits until it is over in the lists, and gives how. */
    const exitOf = async (
      unit: UnitSpec,
    ): Promise<ObservedExit & { readonly stopped: boolean }> => {
      const seen = await until(unit, 'exited')
      assert(seen.phase === 'exited')
      return { ...seen.exit, stopped: seen.stopped }
    }
    const startedRunning = async (unit: UnitSpec): Promise<void> => {
      await adapter.start(unit, never)
      await until(unit, 'running')
      await eventually('its program runs', async () => (await harness.runs(unit)) > 0 || undefined)
    }
    const eventually = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> =>
      await within(abilities.withinMs, what, look)

    it('names the place where it holds units, alike to every daemon', async () => {
      const home = await adapter.home?.(never)
      assert.ok(home?.startsWith(`${adapter.kind} `), home)
      assert.equal(await adapter.home?.(never), home)
      assert.equal(await (await harness.reopen()).home?.(never), home)
    })

    describe('start', () => {
      it('has the unit in every list from when it resolves, with its identity', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await adapter.start(unit, never)
        assert.deepEqual((await sight(unit))?.identity, unit.identity)
      })

      it('runs the program', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        assert.equal(await harness.runs(unit), 1)
      })

      it('starts nothing more when it is called again while the unit runs', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        await adapter.start(unit, never)
        await until(unit, 'running')
        assert.equal(await harness.runs(unit), 1)
      })

      it('starts nothing more when it is called again after the unit is over', async () => {
        const unit = harness.unit({ does: 'exit', code: 3 })
        await adapter.start(unit, never)
        const { code } = await exitOf(unit)
        await adapter.start(unit, never)
        assert.equal((await exitOf(unit)).code, code)
        assert.equal(await harness.runs(unit), 1)
      })

      it('starts one program for many calls at once, from two daemons', async () => {
        const unit = harness.unit({ does: 'exit', code: 0 })
        const other = await harness.reopen()
        await Promise.all(
          [adapter, other, adapter, other, adapter].map((by) => by.start(unit, never)),
        )
        await exitOf(unit)
        assert.equal(await harness.runs(unit), 1)
      })

      it('rejects a name that another identity bears, and leaves that one alone', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        const other = { ...unit, identity: { ...unit.identity, taskUid: 'another' } }
        await assert.rejects(adapter.start(other, never), Rejected)
        assert.deepEqual((await sight(unit))?.identity, unit.identity)
        assert.equal(await harness.runs(unit), 1)
      })
    })

    describe('exits', () => {
      it('tells a success', async () => {
        const unit = harness.unit({ does: 'succeed' })
        await adapter.start(unit, never)
        const exit = await exitOf(unit)
        assert.deepEqual([exit.reason, exit.code, exit.stopped], ['completed', 0, false])
      })

      for (const [code, reason] of [
        [1, 'failed'],
        [127, 'failed'],
        [255, 'failed'],
        [137, 'killed'],
        [143, 'killed'],
      ] as const)
        it(`tells the exit code ${code} as ${reason}`, async () => {
          const unit = harness.unit({ does: 'exit', code })
          await adapter.start(unit, never)
          const exit = await exitOf(unit)
          assert.deepEqual([exit.reason, exit.code, exit.stopped], [reason, code, false])
        })

      it('tells a command that does not exist as a failed start', async () => {
        const unit = harness.unit({ does: 'not-exist' })
        await adapter.start(unit, never)
        assert.equal((await exitOf(unit)).reason, 'start-failed')
        assert.equal(await harness.runs(unit), 0)
      })

      if (abilities.logTail)
        for (const exitCode of [0, 1])
          it(`carries the end of the output of a program that ends with ${exitCode}`, async () => {
            const unit = harness.unit({ does: 'write', lines: ['one', 'two'], exitCode })
            await adapter.start(unit, never)
            assert.match((await exitOf(unit)).logTail ?? '', /one\r?\ntwo\r?\n$/)
          })

      it('is found by a daemon that was opened after it', async () => {
        const unit = harness.unit({ does: 'exit', code: 5 })
        await adapter.start(unit, never)
        await exitOf(unit)
        const seen = await sight(unit, await harness.reopen())
        assert(seen?.phase === 'exited')
        assert.equal(seen.exit.code, 5)
      })
    })

    describe('stop', () => {
      it('ends a program that heeds its stop signal, as stopped', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        await adapter.stop(unit.name, never)
        await ended(unit)
      })

      it('kills a program that does not, after its grace', async () => {
        const unit = harness.unit({ does: 'ignore-stop' })
        await startedRunning(unit)
        await adapter.stop(unit.name, never)
        await ended(unit)
      })

      it('may be called again, and by another daemon', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        const other = await harness.reopen()
        await Promise.all([adapter.stop(unit.name, never), other.stop(unit.name, never)])
        await ended(unit)
        await adapter.stop(unit.name, never)
      })

      it('leaves a unit alone that is over', async () => {
        const unit = harness.unit({ does: 'succeed' })
        await adapter.start(unit, never)
        await exitOf(unit)
        await adapter.stop(unit.name, never)
        const exit = await exitOf(unit)
        assert.deepEqual([exit.reason, exit.stopped], ['completed', false])
      })

      it('does nothing for a unit that is not there', async () => {
        await adapter.stop(harness.unit({ does: 'sleep' }).name, never)
      })

      it('lets no later start run the program again', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await startedRunning(unit)
        await adapter.stop(unit.name, never)
        await ended(unit)
        if (!abilities.exitAfterStop) return
        await adapter.start(unit, never)
        assert.equal((await exitOf(unit)).stopped, true)
        assert.equal(await harness.runs(unit), 1)
      })

      /** Over by our own doing; where a scheduler forgets such a unit, its absence says so. */
      const ended = async (unit: UnitSpec): Promise<void> => {
        if (abilities.exitAfterStop) assert.equal((await exitOf(unit)).stopped, true)
        else
          await eventually('it is over', async () => {
            const seen = await sight(unit)
            return seen === undefined || seen.phase === 'exited' ? true : undefined
          })
      }
    })

    describe('remove', () => {
      it('kills what runs and forgets it', async () => {
        const unit = harness.unit({ does: 'ignore-stop' })
        await startedRunning(unit)
        await adapter.remove(unit.name, never)
        assert.equal(await sight(unit), undefined)
      })

      it('forgets a unit that is over', async () => {
        const unit = harness.unit({ does: 'succeed' })
        await adapter.start(unit, never)
        await exitOf(unit)
        await adapter.remove(unit.name, never)
        assert.equal(await sight(unit), undefined)
      })

      it('forgets a unit that has hardly been started, which then never runs', async () => {
        const unit = harness.unit({ does: 'sleep' })
        await adapter.start(unit, never)
        await adapter.remove(unit.name, never)
        assert.equal(await sight(unit), undefined)
        assert((await harness.runs(unit)) <= 1)
      })

      it('is done for a unit that is not there, and when it is called again', async () => {
        const unit = harness.unit({ does: 'succeed' })
        await adapter.remove(unit.name, never)
        await adapter.start(unit, never)
        await adapter.remove(unit.name, never)
        await adapter.remove(unit.name, never)
      })

      it('leaves other units alone', async () => {
        const [unit, other] = [harness.unit({ does: 'sleep' }), harness.unit({ does: 'sleep' })]
        await startedRunning(unit)
        await startedRunning(other)
        await adapter.remove(unit.name, never)
        assert.equal((await sight(other))?.phase, 'running')
      })
    })

    it('lists every unit once, and to every daemon', async () => {
      const units = [
        harness.unit({ does: 'sleep' }),
        harness.unit({ does: 'succeed' }),
        harness.unit({ does: 'exit', code: 1 }),
      ]
      for (const unit of units) await adapter.start(unit, never)
      const names = (await (await harness.reopen()).list(never)).map((seen) => seen.unit)
      assert.deepEqual(names.sort(), units.map((unit) => unit.name).sort())
    })

    describe('watch', () => {
      it('tells of a start and of an exit that come after it resolved', async () => {
        await watching(async (told) => {
          const unit = harness.unit({ does: 'exit', code: 4 })
          await adapter.start(unit, never)
          const seen = await eventually('the exit is told', () =>
            Promise.resolve(told.find((one) => one.unit === unit.name && one.phase === 'exited')),
          )
          assert(seen.phase === 'exited')
          assert.equal(seen.exit.code, 4)
          assert.deepEqual(seen.identity, unit.identity)
        })
      })

      it('tells that a unit runs', async () => {
        await watching(async (told) => {
          const unit = harness.unit({ does: 'sleep' })
          await adapter.start(unit, never)
          await eventually('it is told', () =>
            Promise.resolve(told.find((one) => one.unit === unit.name && one.phase === 'running')),
          )
        })
      })

      it('tells one daemon of the units that another has started', async () => {
        const other = await harness.reopen()
        await watching(async (told) => {
          const unit = harness.unit({ does: 'succeed' })
          await other.start(unit, never)
          await eventually('it is told', () =>
            Promise.resolve(told.find((one) => one.unit === unit.name && one.phase === 'exited')),
          )
        })
      })

      it('ends when its signal is aborted', async () => {
        const given = new AbortController()
        const stream = await adapter.watch(given.signal)
        const reading = (async () => {
          for await (const _seen of stream);
        })()
        given.abort()
        await reading
      })

      /** Runs the body with what a watch has told so far. */
      const watching = async (
        body: (told: readonly Observation[]) => Promise<void>,
      ): Promise<void> => {
        const given = new AbortController()
        const told: Observation[] = []
        const stream = await adapter.watch(given.signal)
        const reading = (async () => {
          for await (const seen of stream) told.push(seen)
        })()
        try {
          await body(told)
        } finally {
          given.abort()
          await reading
        }
      }
    })

    describe('logs', () => {
      const read = async (name: string, options: { tailBytes?: number } = {}): Promise<string> => {
        let text = ''
        for await (const chunk of adapter.logs(name, { ...options, signal: never })) text += chunk
        return text
      }

      it('gives what was written, oldest first', async () => {
        const unit = harness.unit({ does: 'write', lines: ['one', 'two', 'three'], exitCode: 0 })
        await adapter.start(unit, never)
        await exitOf(unit)
        assert.equal(await read(unit.name), 'one\ntwo\nthree\n')
      })

      it('gives the end of it, as far back as asked', async () => {
        const unit = harness.unit({ does: 'write', lines: ['one', 'two', 'three'], exitCode: 0 })
        await adapter.start(unit, never)
        await exitOf(unit)
        assert.equal(await read(unit.name, { tailBytes: 6 }), 'three\n')
      })

      it('ends at what is there while the unit goes on', async () => {
        const unit = harness.unit({ does: 'write', lines: ['one'] })
        await startedRunning(unit)
        await eventually(
          'its line is there',
          async () => (await read(unit.name)) === 'one\n' || undefined,
        )
      })

      it('gives nothing for a unit that is not there', async () => {
        assert.equal(await read(harness.unit({ does: 'succeed' }).name), '')
      })

      if (abilities.follow) {
        it('follows until the unit is over', async () => {
          const unit = harness.unit({ does: 'write', lines: ['one'] })
          await startedRunning(unit)
          let text = ''
          let stopping: Promise<void> | undefined
          for await (const chunk of adapter.logs(unit.name, { follow: true, signal: never })) {
            text += chunk
            if (text === 'one\n') stopping ??= adapter.stop(unit.name, never)
          }
          await stopping
          assert.equal(text, 'one\n')
          const after = await sight(unit)
          assert(after?.phase === 'exited' || (!abilities.exitAfterStop && after === undefined))
        })

        it('follows no longer than its signal lasts', async () => {
          const unit = harness.unit({ does: 'write', lines: ['one'] })
          await startedRunning(unit)
          const given = new AbortController()
          const options = { follow: true, signal: given.signal }
          await assert.rejects(async () => {
            for await (const _chunk of adapter.logs(unit.name, options)) given.abort()
          }, Unavailable)
        })
      }
    })

    it('throws Unavailable from every call whose signal is aborted', async () => {
      const signal = AbortSignal.abort()
      const unit = harness.unit({ does: 'succeed' })
      await assert.rejects(adapter.start(unit, signal), Unavailable)
      await assert.rejects(adapter.stop(unit.name, signal), Unavailable)
      await assert.rejects(adapter.remove(unit.name, signal), Unavailable)
      await assert.rejects(adapter.list(signal), Unavailable)
      await assert.rejects(adapter.watch(signal), Unavailable)
      await assert.rejects(async () => {
        for await (const _chunk of adapter.logs(unit.name, { signal }));
      }, Unavailable)
    })

    it('reports on itself', async () => {
      const results = await adapter.check(never)
      assert(results.length > 0)
      assert.deepEqual(
        results.filter((result) => !result.ok),
        [],
      )
    })
  })
}

/** Looks until something is found, for at most so long. */
export async function within<T>(
  limitMs: number,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const until = performance.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(5)
  }
}

/** A unit spec with everything filled in, of an attempt of its own: for harnesses to make theirs from. */
export function unitNamed(
  name: string,
  service: Partial<Service> = {},
  rest: Partial<Omit<UnitSpec, 'name' | 'service'>> = {},
): UnitSpec {
  return {
    name,
    identity: {
      installation: 'test',
      taskId: `test/${name}`,
      taskUid: `uid-${name}`,
      taskType: 'test',
      run: 1,
      attempt: 1,
    },
    directory: '/',
    logTailBytes: 16_384,
    ...rest,
    service: {
      environment: {},
      stopSignal: 'SIGTERM',
      stopGraceMs: 10_000,
      compose: {},
      ...service,
    },
  }
}
