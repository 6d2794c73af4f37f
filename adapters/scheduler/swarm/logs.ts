import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { Unavailable } from '../../../src/core/errors.ts'
import type { EngineApi } from './engine-api.ts'
import { LogFrames, Tail } from './log-frames.ts'
import { isOver } from './task-exit.ts'
import type { TaskView } from './views.ts'
import { decoded } from '../decoded.ts'

/** A manager asks the node by itself, and waits for ever where that does not answer. */
const SILENCE_MS = 10_000
/** Of a task that is over nothing more comes once its stream has been silent for so long. */
const DRAINED_MS = 500
const LOOK_MS = 500
/** Asked for first: mostly enough, where a line is not very short. */
const FIRST_LINES = 500

/**
 * The end of a task's output: at most so many bytes. Empty where the engine has nothing (its container
 * is gone, its log driver keeps none).
 */
export async function tailOf(
  engine: EngineApi,
  task: TaskView,
  bytes: number,
  signal: AbortSignal,
): Promise<string> {
  if (bytes === 0) return ''
  const some = await lastLines(engine, task, bytes, FIRST_LINES, signal)
  const enough = some.seen >= bytes || some.lines < FIRST_LINES || bytes <= FIRST_LINES
  // No line is shorter than its end: so many lines are always enough.
  return (enough ? some : await lastLines(engine, task, bytes, bytes, signal)).tail.text()
}

async function lastLines(
  engine: EngineApi,
  task: TaskView,
  bytes: number,
  lines: number,
  signal: AbortSignal,
) {
  const tail = new Tail(bytes)
  let ends = 0
  for await (const chunk of read(engine, task, { tail: lines }, signal)) {
    for (const byte of chunk) if (byte === 10) ends += 1
    tail.add(chunk)
  }
  return { tail, seen: tail.seen, lines: ends }
}

/** All of a task's output that there is. */
export async function* outputOf(
  engine: EngineApi,
  task: TaskView,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  yield* decoded(read(engine, task, { tail: 'all' }, signal))
}

/**
 * A task's output as it comes, until the task is over: the engine's own stream never ends. Of what was
 * there before come as many whole lines as make about `tailBytes`.
 */
export async function* followOf(
  engine: EngineApi,
  task: TaskView,
  tailBytes: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  using ended = new Ending()
  const until = AbortSignal.any([signal, ended.signal])
  const tail =
    tailBytes === undefined ? 'all' : linesIn(await tailOf(engine, task, tailBytes, signal))
  const stream = await engine.stream(path(task), until, { ...STREAMS, follow: true, tail })
  if (stream === undefined) return
  const frames = framesOf(task)
  const decoder = new StringDecoder('utf8')
  const chunks = stream[Symbol.asyncIterator]()
  const take = () => {
    const chunk = chunks.next()
    // The last one is not waited for: it comes to nothing, by our own doing.
    chunk.catch(() => undefined)
    return chunk
  }
  let next = take()
  let quietSince: number | undefined
  for (;;) {
    const got = await Promise.race([next, pause(LOOK_MS, signal)])
    if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
    if (got !== undefined) {
      if (got.done === true) return
      next = take()
      if (quietSince !== undefined) quietSince = performance.now()
      const text = decoder.write(frames.take(got.value))
      if (text !== '') yield text
    } else if (quietSince === undefined) {
      const now = await engine.find<TaskView>(`/tasks/${task.ID}`, signal)
      if (now === undefined || isOver(now)) quietSince = performance.now()
    } else if (performance.now() - quietSince >= DRAINED_MS) return
  }
}

function linesIn(text: string): number {
  return text.split('\n').length - 1
}

const STREAMS = { stdout: true, stderr: true }

function path(task: TaskView): string {
  return `/tasks/${task.ID}/logs`
}

function framesOf(task: TaskView): LogFrames {
  return new LogFrames({ raw: task.Spec.ContainerSpec?.TTY === true })
}

async function* read(
  engine: EngineApi,
  task: TaskView,
  query: { readonly tail: number | 'all' },
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  using silence = new Silence(SILENCE_MS)
  const until = AbortSignal.any([signal, silence.signal])
  const stream = await engine.stream(path(task), until, { ...STREAMS, ...query })
  if (stream === undefined) return
  const frames = framesOf(task)
  for await (const chunk of stream) {
    silence.broken()
    const bytes = frames.take(chunk)
    if (bytes.length > 0) yield bytes
  }
}

/** Aborts its signal when nothing was heard for so long. */
class Silence implements Disposable {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(ms: number) {
    this.#timer = setTimeout(() => {
      this.#controller.abort(new Error(`no output came within ${ms} ms`))
    }, ms)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  broken(): void {
    this.#timer.refresh()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}

/** Aborts what is still under way when its block is left. */
class Ending implements Disposable {
  readonly #controller = new AbortController()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  [Symbol.dispose](): void {
    this.#controller.abort()
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<undefined> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
  return undefined
}
