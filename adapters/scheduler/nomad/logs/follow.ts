import { StringDecoder } from 'node:string_decoder'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { NomadApi, Query } from '../client/nomad-api.ts'
import { isOver } from '../sight/exit.ts'
import { LogFrames } from './log-frames.ts'
import { logsPath, type Output, taskName } from './logs.ts'
import { pause } from '../pause.ts'
import type { AllocationView } from '../views.ts'

/** A log that is followed beats every second (client/fs_endpoint.go, streamHeartbeatRate). */
const SILENCE_MS = 10_000
/** By then what was written before the end has come: a node looks at the files several times a second. */
const DRAINED_BEATS = 2
/** One that came sooner has lain behind a slow reader: something else may lie behind it. */
const FRESH_AFTER_MS = 500
/** A blocking query would hold a connection that starts and stops wait for. */
const LOOK_EVERY_MS = 2_000
const LOOK_MS = 5_000

/**
 * What the task writes, as it comes, until it is over: Nomad's own streams never end. Of what was there
 * before comes the end of each output, of at most `tailBytes`.
 *
 * Each output is read on until there is nothing more on the way. To leave it and to read the rest from
 * where it was would lose or repeat something: a place to go on from is counted from the oldest file
 * that is left, and what a frame says of its own is wrong where it holds several pieces
 * (client/fs_endpoint.go, findClosest; client/lib/streamframer).
 */
export async function* followOf(
  api: NomadApi,
  allocation: AllocationView,
  tailBytes: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const left = new AbortController()
  const until = AbortSignal.any([signal, left.signal])
  const from: Query = tailBytes === undefined ? {} : { origin: 'end', offset: tailBytes }
  const task = new Life(api, allocation.ID, until)
  let open = (['stdout', 'stderr'] as const).map(
    (type) => new Followed(() => followed(api, allocation, type, from, until), task),
  )
  try {
    while (open.length > 0) {
      const output = await Promise.race(open.map((one) => one.come()))
      const { text, done, beats } = output.take()
      if (text !== '') yield text
      if (done || beats >= DRAINED_BEATS) open = open.filter((one) => one !== output)
    }
  } catch (error) {
    // A node that goes with its task, or throws away what that has left, says nothing more of it.
    if (signal.aborted || !(await task.isOver())) throw error
  } finally {
    left.abort()
    await task.watched
  }
}

/** Whether something of an allocation still runs, as far as is known by now. */
class Life {
  readonly #look: () => Promise<boolean>
  /** When it was seen to be over. */
  overAt = Infinity
  /** Resolves once it is, or the signal is aborted. */
  readonly watched: Promise<void>

  constructor(api: NomadApi, id: string, signal: AbortSignal) {
    this.#look = () => looksOver(api, id, signal)
    this.watched = this.#watch(signal)
    this.watched.catch(() => undefined)
  }

  async isOver(): Promise<boolean> {
    if (this.overAt === Infinity && (await this.#look())) this.overAt = performance.now()
    return this.overAt !== Infinity
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      while (!(await this.isOver())) await pause(LOOK_EVERY_MS, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

/** Whether nothing of it runs any more, or nobody knows it any more. Where nobody answers it goes on. */
async function looksOver(api: NomadApi, id: string, signal: AbortSignal): Promise<boolean> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)])
  try {
    const found = await api.find<AllocationView>(`/v1/allocation/${id}`, limited)
    return found === undefined || isOver(found)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return false
  }
}

/** One of the outputs that are followed. */
class Followed {
  readonly #pieces: AsyncGenerator<Buffer, void, undefined>
  readonly #task: Life
  readonly #decoder = new StringDecoder('utf8')
  #coming: Promise<this> | undefined
  #come: { readonly result: IteratorResult<Buffer, void>; readonly waitedMs: number } | undefined
  #beats = 0

  constructor(start: () => AsyncGenerator<Buffer, void, undefined>, task: Life) {
    this.#pieces = start()
    this.#task = task
  }

  /** Resolves once there is something to take. */
  come(): Promise<this> {
    if (this.#coming === undefined) {
      const askedAt = performance.now()
      this.#coming = this.#pieces.next().then((result) => {
        const waitedMs = performance.now() - Math.max(askedAt, this.#task.overAt)
        this.#come = { result, waitedMs }
        return this
      })
      // The last one is not waited for: it comes to nothing, by our own doing.
      this.#coming.catch(() => undefined)
    }
    return this.#coming
  }

  /** `beats`: how many heartbeats in a row have been waited for since the task is over. */
  take(): { readonly text: string; readonly done: boolean; readonly beats: number } {
    const { result, waitedMs = 0 } = this.#come ?? {}
    const piece = result?.value
    this.#coming = undefined
    this.#come = undefined
    const isFresh = piece?.length === 0 && waitedMs >= FRESH_AFTER_MS
    this.#beats = isFresh ? this.#beats + 1 : 0
    const text = piece === undefined ? this.#decoder.end() : this.#decoder.write(piece)
    return { text, done: result?.done === true, beats: this.#beats }
  }
}

/** Pieces as they come, and an empty one for each heartbeat. */
async function* followed(
  api: NomadApi,
  allocation: AllocationView,
  type: Output,
  from: Query,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const stream = await api.stream(logsPath(allocation), {
    signal,
    query: { ...from, type, task: taskName(allocation), follow: true },
    purpose: 'logs',
    silenceMs: SILENCE_MS,
  })
  if (stream === undefined) return
  const frames = new LogFrames()
  for await (const chunk of stream) yield* frames.take(chunk)
}
