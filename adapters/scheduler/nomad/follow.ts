import { StringDecoder } from 'node:string_decoder'
import { refusal, type NomadApi, type Query } from './client/nomad-api.ts'
import { isOver } from './exit.ts'
import { LogFrames } from './log-frames.ts'
import { logsPath, type Output, taskName } from './logs.ts'
import type { AllocationView } from './views.ts'

/** A log that is followed beats every second (client/fs_endpoint.go, streamHeartbeatRate). */
const SILENCE_MS = 10_000
/** By then what was written before the end has come: a node looks at the files several times a second. */
const DRAINED_BEATS = 2
/** How long Nomad may hold back its answer that nothing has changed. */
const WAIT = '20s'

/**
 * What the task writes, as it comes, until it is over: Nomad's own streams never end. Of what was there
 * before comes the end of each output, of at most `tailBytes`.
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
    (type) => new Followed(() => followed(api, allocation, type, from, until)),
  )
  try {
    while (open.length > 0) {
      const output = await Promise.race(open.map((one) => one.come()))
      const { text, done, beats } = output.take(task.over)
      if (text !== '') yield text
      if (done || beats >= DRAINED_BEATS) open = open.filter((one) => one !== output)
    }
  } catch (error) {
    // A node that goes with its task says nothing more of it.
    if (!task.over || signal.aborted) throw error
  } finally {
    left.abort()
    await task.watched
  }
}

/** Whether something of an allocation still runs, as far as is known by now. */
class Life {
  over = false
  readonly watched: Promise<void>

  constructor(api: NomadApi, id: string, signal: AbortSignal) {
    this.watched = untilOver(api, id, signal).then(
      () => {
        this.over = true
      },
      // Its outputs will fail as well, or it is not waited for any more.
      () => undefined,
    )
  }
}

/** Resolves once nothing of it runs any more, or nobody knows it any more. */
async function untilOver(api: NomadApi, id: string, signal: AbortSignal): Promise<void> {
  let index = 0
  for (;;) {
    const path = `/v1/allocation/${id}`
    const answer = await api.call('GET', path, { signal, query: { wait: WAIT, index } })
    if (answer.status === 404) return
    if (answer.status !== 200) throw refusal(`GET ${path}`, answer)
    if (isOver(answer.body as AllocationView)) return
    // After a restore it may be lower, and would be waited for for long.
    index = answer.index < index ? 0 : answer.index
  }
}

/** One of the outputs that are followed. */
class Followed {
  readonly #pieces: AsyncGenerator<Buffer, void, undefined>
  readonly #decoder = new StringDecoder('utf8')
  #coming: Promise<this> | undefined
  #come: IteratorResult<Buffer, void> | undefined
  #beats = 0

  constructor(start: () => AsyncGenerator<Buffer, void, undefined>) {
    this.#pieces = start()
  }

  /** Resolves once there is something to take. */
  come(): Promise<this> {
    if (this.#coming === undefined) {
      this.#coming = this.#pieces.next().then((result) => {
        this.#come = result
        return this
      })
      // The last one is not waited for: it comes to nothing, by our own doing.
      this.#coming.catch(() => undefined)
    }
    return this.#coming
  }

  /** `beats`: how many heartbeats in a row have come since the task is `over`. */
  take(over: boolean): { readonly text: string; readonly done: boolean; readonly beats: number } {
    const piece = this.#come?.value
    const done = this.#come?.done === true
    this.#coming = undefined
    this.#come = undefined
    this.#beats = over && piece?.length === 0 ? this.#beats + 1 : 0
    const text = piece === undefined ? this.#decoder.end() : this.#decoder.write(piece)
    return { text, done, beats: this.#beats }
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
