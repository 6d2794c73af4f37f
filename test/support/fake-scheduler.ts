import { Rejected, Unavailable } from '../../src/core/errors.ts'
import { exitOfCode } from '../../src/core/exit.ts'
import type { ObservedExit } from '../../src/core/exit.ts'
import { sameIdentity } from '../../src/core/unit.ts'
import type { Observation, Sight, UnitSpec } from '../../src/core/unit.ts'
import type { CheckResult, SchedulerAdapter } from '../../src/ports/scheduler-adapter.ts'

/** What a unit does once it has been started. Times count by the fake's `now`. */
export interface FakeProgram {
  /** Pending for so long; 0 by default. */
  readonly startsAfterMs?: number
  /** Runs for so long and then ends with the exit; absent: until it is stopped. */
  readonly runsMs?: number
  /** Exit code 0 by default. */
  readonly exit?: ObservedExit
  /** What it waits for while it is pending, and whether that is a node. */
  readonly waitsFor?: { readonly message: string; readonly unplaced?: true }
  /** It never begins to run: pending, then the exit. */
  readonly neverRuns?: boolean
  /** Ends at its stop signal (by default), or only when it is killed after its grace. */
  readonly heedsStop?: boolean
  readonly output?: string
  readonly node?: string
}

export interface FakeCall {
  readonly method: 'resolve' | 'start' | 'stop' | 'remove' | 'list' | 'watch'
  readonly unit?: string
}

interface Held {
  readonly spec: UnitSpec
  readonly program: FakeProgram
  readonly node: string
  readonly startAt: number
  stoppingAt?: number
  /** What is true of it, on its node. */
  sight: Exclude<Sight, { phase: 'unreachable' }>
  /** The scheduler shows it; false for a copy that only a lost node still has. */
  held: boolean
}

interface World {
  readonly units: Map<string, Held>
  readonly starts: Map<string, number>
  readonly lostNodes: Map<string, Date>
  readonly watches: Set<Stream>
  readonly delayed: { readonly at: number; readonly observation: Observation }[]
}

/**
 * A scheduler in memory, for tests of what is above the port. Nothing happens by itself: what is due by
 * `now` happens at the next call of the port or of `settle`.
 *
 * Controls, each a property that a test sets:
 *  - `program`: what each unit does, asked once, at its start;
 *  - `digest`: what the tag of an image means, whenever that is asked;
 *  - `place`: where its units are;
 *  - `fault`: throws `Unavailable` from a call, before or after it has taken effect;
 *  - `delivery`: loses, repeats or delays (by so many ms) an observation on its way to the watches.
 * And as methods: `finish`, `loseNode`, `returnNode`, `drop`, `breakWatches`.
 */
export class FakeScheduler implements SchedulerAdapter {
  readonly kind = 'fake'
  program: (unit: UnitSpec) => FakeProgram = () => ({ runsMs: 0 })
  digest: (image: string) => string | undefined = () => undefined
  place: () => string = () => 'fake world'
  fault: (call: FakeCall) => 'before' | 'after' | undefined = () => undefined
  delivery: (observation: Observation) => 'lose' | 'repeat' | number | undefined = () => undefined
  /** Every unit that was taken, as it was given, by this adapter; in order. */
  readonly taken: UnitSpec[] = []
  readonly #now: () => Date
  readonly #world: World
  readonly #streams = new Set<Stream>()

  constructor(options: { readonly now: () => Date }, world?: World) {
    this.#now = options.now
    this.#world = world ?? {
      units: new Map(),
      starts: new Map(),
      lostNodes: new Map(),
      watches: new Set(),
      delayed: [],
    }
  }

  /** Another adapter on the same units, with controls of its own. */
  reopen(): FakeScheduler {
    const other = new FakeScheduler({ now: this.#now }, this.#world)
    other.program = (unit) => this.program(unit)
    other.digest = (image) => this.digest(image)
    other.place = () => this.place()
    return other
  }

  /** How often the unit's program has begun to run. */
  starts(name: string): number {
    return this.#world.starts.get(name) ?? 0
  }

  /** What really runs, on lost nodes too. */
  running(): readonly UnitSpec[] {
    this.settle()
    return this.#all()
      .filter(({ sight }) => sight.phase === 'running')
      .map(({ spec }) => spec)
  }

  /** Makes everything happen that is due. */
  settle(): void {
    const now = this.#now().getTime()
    for (const unit of this.#all()) this.#advance(unit, now)
    const { delayed } = this.#world
    for (const late of delayed.splice(0))
      if (late.at <= now) this.#tell(late.observation)
      else delayed.push(late)
  }

  /** Its program ends so, now. */
  finish(name: string, exit: ObservedExit = exitOfCode(0)): void {
    this.settle()
    const unit = this.#world.units.get(name)
    if (unit !== undefined) this.#end(unit, exit)
  }

  /** Its units go on, unseen and out of reach, until it returns. */
  loseNode(node: string): void {
    this.settle()
    this.#world.lostNodes.set(node, this.#now())
    for (const unit of this.#all()) if (unit.node === node) this.#changed(unit)
  }

  /** What was removed meanwhile is killed there; the rest is seen again. */
  returnNode(node: string): void {
    this.settle()
    this.#world.lostNodes.delete(node)
    for (const [name, unit] of this.#world.units)
      if (unit.node === node) {
        if (unit.held) this.#changed(unit)
        else this.#world.units.delete(name)
      }
  }

  /** Somebody removes the unit: the scheduler says so, or simply shows it no more. */
  drop(name: string, how: 'told' | 'silently'): void {
    this.settle()
    const unit = this.#world.units.get(name)
    if (unit === undefined) return
    unit.sight = { phase: 'removed' }
    if (how === 'told') this.#changed(unit)
    else this.#world.units.delete(name)
  }

  /** Every watch fails; what was under way on it is lost. */
  breakWatches(): void {
    for (const stream of this.#world.watches)
      stream.end(new Unavailable('stream', 'the stream broke'))
  }

  async home(signal: AbortSignal): Promise<string> {
    await Promise.resolve()
    refuse(signal)
    return this.place()
  }

  async resolve({ name, service }: UnitSpec, signal: AbortSignal): Promise<string | undefined> {
    return await this.#call({ method: 'resolve', unit: name }, signal, () => {
      const { image } = service
      const digest = image === undefined ? undefined : this.digest(image)
      return digest === undefined ? undefined : `${image ?? ''}@${digest}`
    })
  }

  async start(unit: UnitSpec, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'start', unit: unit.name }, signal, () => {
      const known = this.#world.units.get(unit.name)
      if (known?.held === true) {
        if (!sameIdentity(known.spec.identity, unit.identity))
          throw new Rejected('identity', `${unit.name} is another attempt`)
        return
      }
      const program = this.program(unit)
      const held: Held = {
        spec: unit,
        program,
        node: program.node ?? 'node-1',
        startAt: this.#now().getTime() + (program.startsAfterMs ?? 0),
        sight: { phase: 'pending', ...program.waitsFor },
        held: true,
      }
      this.#world.units.set(unit.name, held)
      this.taken.push(unit)
      this.#changed(held)
    })
  }

  async stop(name: string, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'stop', unit: name }, signal, () => {
      const unit = this.#world.units.get(name)
      if (unit !== undefined) unit.stoppingAt ??= this.#now().getTime()
    })
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#call({ method: 'remove', unit: name }, signal, () => {
      const unit = this.#world.units.get(name)
      if (unit === undefined) return
      if (this.#world.lostNodes.has(unit.node) && unit.sight.phase === 'running') unit.held = false
      else this.#world.units.delete(name)
    })
  }

  async list(signal: AbortSignal): Promise<readonly Observation[]> {
    return await this.#call({ method: 'list' }, signal, () =>
      this.#all()
        .filter(({ held }) => held)
        .map((unit) => this.#observation(unit)),
    )
  }

  async watch(signal: AbortSignal): Promise<AsyncIterable<Observation>> {
    return await this.#call({ method: 'watch' }, signal, () => {
      const stream = new Stream()
      this.#world.watches.add(stream)
      this.#streams.add(stream)
      signal.addEventListener('abort', () => {
        this.#close(stream)
      })
      return stream.read()
    })
  }

  async *logs(
    name: string,
    options: {
      readonly tailBytes?: number
      readonly follow?: boolean
      readonly signal: AbortSignal
    },
  ): AsyncGenerator<string, void, undefined> {
    await Promise.resolve()
    refuse(options.signal)
    const output = Buffer.from(this.#world.units.get(name)?.program.output ?? '')
    const tail = output.subarray(Math.max(0, output.length - (options.tailBytes ?? output.length)))
    if (tail.length > 0) yield tail.toString()
  }

  async check(): Promise<readonly CheckResult[]> {
    return await Promise.resolve([{ name: 'fake', ok: true, message: 'all in memory' }])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) this.#close(stream)
    await Promise.resolve()
  }

  async #call<T>(call: FakeCall, signal: AbortSignal, body: () => T): Promise<T> {
    await Promise.resolve()
    refuse(signal)
    const fault = this.fault(call)
    if (fault === 'before') throw new Unavailable('fake', `${call.method}: not taken`)
    this.settle()
    const result = body()
    this.settle()
    if (fault === 'after') throw new Unavailable('fake', `${call.method}: taken, not answered`)
    return result
  }

  #all(): readonly Held[] {
    return [...this.#world.units.values()]
  }

  #advance(unit: Held, now: number): void {
    const { program, startAt, spec } = unit
    const runsMs = program.runsMs ?? Infinity
    if (unit.sight.phase === 'pending' && this.#reached(unit) !== undefined)
      this.#end(unit, { reason: 'interrupted', message: 'stopped before it began' })
    if (unit.sight.phase === 'pending' && startAt <= now && program.neverRuns !== true) {
      this.#world.starts.set(spec.name, this.starts(spec.name) + 1)
      unit.sight = { phase: 'running' }
      this.#changed(unit)
    }
    if ((unit.sight.phase === 'running' || program.neverRuns === true) && startAt + runsMs <= now)
      this.#end(unit, program.exit ?? exitOfCode(0))
    const stoppingAt = this.#reached(unit)
    if (unit.sight.phase !== 'running' || stoppingAt === undefined) return
    if (program.heedsStop !== false) this.#end(unit, exitOfCode(143))
    else if (stoppingAt + spec.service.stopGraceMs <= now) this.#end(unit, exitOfCode(137))
  }

  /** When its stop was asked for, as far as its node has heard of it. */
  #reached(unit: Held): number | undefined {
    return this.#world.lostNodes.has(unit.node) ? undefined : unit.stoppingAt
  }

  #end(unit: Held, exit: ObservedExit): void {
    if (unit.sight.phase !== 'pending' && unit.sight.phase !== 'running') return
    const told = { at: this.#now(), ...exit }
    const { output } = unit.program
    const logTail = output === undefined ? {} : { logTail: output }
    unit.sight = {
      phase: 'exited',
      exit: { ...logTail, ...told },
      stopped: this.#reached(unit) !== undefined,
    }
    this.#changed(unit)
  }

  #observation({ spec, sight, node }: Held): Observation {
    const since = this.#world.lostNodes.get(node)
    const seen: Sight = since === undefined ? sight : { phase: 'unreachable', since }
    return { unit: spec.name, identity: spec.identity, node, ...seen }
  }

  #changed(unit: Held): void {
    if (!unit.held) return
    const observation = this.#observation(unit)
    const delivery = this.delivery(observation)
    if (delivery === 'lose') return
    if (typeof delivery === 'number') {
      this.#world.delayed.push({ at: this.#now().getTime() + delivery, observation })
      return
    }
    this.#tell(observation)
    if (delivery === 'repeat') this.#tell(observation)
  }

  #tell(observation: Observation): void {
    for (const stream of this.#world.watches) stream.push(observation)
  }

  #close(stream: Stream): void {
    this.#world.watches.delete(stream)
    this.#streams.delete(stream)
    stream.end()
  }
}

class Stream {
  #queue: Observation[] = []
  #over: { readonly error?: Error } | undefined
  #wake: (() => void) | undefined

  push(observation: Observation): void {
    this.#queue.push(observation)
    this.#wake?.()
  }

  end(error?: Error): void {
    this.#over ??= error === undefined ? {} : { error }
    this.#queue = []
    this.#wake?.()
  }

  async *read(): AsyncGenerator<Observation, void, undefined> {
    for (;;) {
      const next = this.#queue.shift()
      if (next !== undefined) yield next
      else if (this.#over?.error !== undefined) throw this.#over.error
      else if (this.#over !== undefined) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

function refuse(signal: AbortSignal): void {
  if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
}
