import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { openNomadScheduler } from '../../adapters/scheduler/nomad/open.ts'
import type { NomadScheduler } from '../../adapters/scheduler/nomad/scheduler.ts'
import type { UnitSpec } from '../../src/core/unit.ts'
import { unitNamed } from '../contract/scheduler-adapter.ts'
import { QuietLogger, until } from '../support/store.ts'
import { byCallers } from './requests.ts'

const PROGRAM = new URL(import.meta.resolve('./nomad-program.ts'))
const INSTALLATION = 'bench'
const FILL_LIMIT_MS = 120_000
const never = new AbortController().signal
/** Calls under way at a time: the client keeps no more connections for them. */
export const CALLERS = 16

/** What the program is asked for. */
export type NomadOrder =
  /** So many frames about what runs, as fast as they can be written, or at this pace. */
  | { readonly does: 'tell'; readonly count: number; readonly perSecond?: number }
  | { readonly does: 'end'; readonly job: string }

export type NomadWord = { readonly address: string } | { readonly told: number }

/** A fake Nomad in a process of its own: what it uses is not taken for what its client uses. */
export class Nomad implements AsyncDisposable {
  readonly address: string
  readonly #child: ChildProcess

  static async open(): Promise<Nomad> {
    const child = fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const [word] = (await once(child, 'message')) as [NomadWord]
    if (!('address' in word)) throw new Error('the fake Nomad says no address')
    return new Nomad(child, word.address)
  }

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  /** An adapter on it, in this process. */
  scheduler(): NomadScheduler {
    const settings = { address: this.address, tls: {} }
    const logger = new QuietLogger()
    return openNomadScheduler({ settings, env: {}, installation: INSTALLATION, logger })
  }

  /** Resolves once it is written, whoever has read it. */
  async order(order: NomadOrder): Promise<void> {
    const done = once(this.#child, 'message')
    this.#child.send(order)
    await done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}

/** A unit that succeeds at once (`true`), or runs on. */
export function unitOf(name: string, command: 'true' | 'sleep'): UnitSpec {
  const unit = unitNamed(name, { command: [command], nomad: { driver: 'raw_exec', cpu: 20 } })
  return { ...unit, identity: { ...unit.identity, installation: INSTALLATION } }
}

/** So many units that run on. */
export async function fill(scheduler: NomadScheduler, count: number): Promise<void> {
  await byCallers(CALLERS, count, (n) => scheduler.start(unitOf(`lh-fill-${n}`, 'sleep'), never))
  await running(scheduler, count)
}

/** Waits until so many run. */
export async function running(scheduler: NomadScheduler, count: number): Promise<void> {
  const are = async () =>
    (await scheduler.list(never)).filter(({ phase }) => phase === 'running').length
  await until(async () => (await are()) === count, `${count} run`, FILL_LIMIT_MS)
}

/** What this process uses of the CPU meanwhile, in milliseconds, and how long it takes. */
export async function costOf(
  work: () => Promise<void>,
): Promise<{ readonly cpuMs: number; readonly wallMs: number }> {
  const before = process.cpuUsage()
  const begun = performance.now()
  await work()
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1000, wallMs: performance.now() - begun }
}
