import assert from 'node:assert/strict'
import { metaOf } from '../../../../adapters/scheduler/nomad/identity.ts'
import { unitOfJob } from '../../../../adapters/scheduler/nomad/sight/sight.ts'
import type { FrameView, JobState } from '../../../../adapters/scheduler/nomad/views.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { nomadReplay, type ReplayStream } from '../../../support/nomad-replay.ts'
import { until } from '../../../support/store.ts'
import { openedOn } from './opened.ts'
import { recording, recordingNames, streamedStates, type Recording } from './recordings.ts'

const NAMED = unitNamed('lh-recorded')
/** Its id has characters of two, three and four bytes. */
const UNIT = { ...NAMED, identity: { ...NAMED.identity, taskId: 'encode/ä€😀' } }

/** The recorded job, as if it were this installation's. */
function ours(name: string): Recording {
  const text = JSON.stringify(recording(name))
  const meta = JSON.stringify(metaOf(UNIT))
  return JSON.parse(text.replaceAll('{"longhaul.attempt":"1"}', meta)) as Recording
}

const RECORDED = recordingNames()
  .map((name) => ({ name, recorded: ours(name) }))
  .filter(({ recorded }) => streamedStates(recorded).length > 0)

/** What each state comes to; the time of looking does not matter but to what has none of its own. */
function observed(states: readonly JobState[]): readonly Observation[] {
  return states.flatMap((state) => unitOfJob(state, new Map(), new Date())?.observation ?? [])
}

/** Of one line, the places after which it is cut. */
const CUTS: Readonly<Record<string, (line: Buffer) => readonly number[]>> = {
  'in no place': () => [],
  'in every line': (line) => [Math.floor(line.length / 2)],
  'within every character of several bytes': (line) =>
    [...line.keys()].filter((i) => ((line[i] ?? 0) & 0xc0) === 0x80),
  'between the JSON and its newline': (line) => [line.length - 1],
}

function linesOf(frames: readonly FrameView[]): readonly Buffer[] {
  return frames.map((frame) => Buffer.from(`${JSON.stringify(frame)}\n`))
}

async function play(
  stream: ReplayStream,
  lines: readonly Buffer[],
  cutsOf: (line: Buffer) => readonly number[] = () => [],
): Promise<void> {
  for (const line of lines) {
    let from = 0
    for (const to of [...cutsOf(line), line.length]) {
      await stream.write(line.subarray(from, to))
      from = to
    }
  }
}

/** A subscription to a Nomad of its own, and what it has told so far. */
async function watching(framing: 'chunked' | 'until-close' = 'until-close') {
  const stack = new AsyncDisposableStack()
  const replay = stack.use(await nomadReplay())
  const { scheduler } = stack.use(openedOn(replay.address))
  replay.streams('/v1/event/stream', framing)
  const subscribing = scheduler.watch(new AbortController().signal)
  const stream = await replay.stream()
  await stream.write('{}\n')
  const told: Observation[] = []
  const watch = await subscribing
  const over = (async () => {
    for await (const one of watch) told.push(one)
  })()
  over.catch(() => undefined)
  return {
    replay,
    scheduler,
    stream,
    told,
    over,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const GAPS = 10

/** A few of the places where a stream of so many frames may begin anew, the first and the last among them. */
function gapsIn(frames: number): readonly number[] {
  const step = Math.max(1, frames / GAPS)
  const places = Array.from({ length: GAPS + 1 }, (_, i) => Math.min(frames, Math.floor(i * step)))
  return [...new Set(places)]
}

describe('a watch of Nomad', () => {
  for (const { name, recorded } of RECORDED) {
    const expected = observed(streamedStates(recorded))

    it(`tells ${name} as it was recorded, wherever the stream is cut`, async () => {
      for (const [where, cutsOf] of Object.entries(CUTS)) {
        for (const framing of ['chunked', 'until-close'] as const) {
          await using watch = await watching(framing)
          const { stream, told, over } = watch
          await play(stream, linesOf(recorded.stream), cutsOf)
          stream.end()
          await assert.rejects(over, Unavailable)
          assertSubsequence(told, expected, `${where}, ${framing}`)
          assert.deepEqual(told.at(-1), expected.at(-1), `${where}, ${framing}`)
        }
      }
    })

    it(`tells each state of ${name} as it comes`, async () => {
      await using watch = await watching()
      const { stream, told } = watch
      for (const [i, line] of linesOf(recorded.stream).entries()) {
        await stream.write(line)
        const so = streamedStates({ ...recorded, stream: recorded.stream.slice(0, i + 1) })
        const now = observed(so).at(-1)
        await until(() => sameAs(told.at(-1), now), `frame ${i} is told: ${JSON.stringify(now)}`)
      }
    })

    it(`tells ${name} to its end by a list, whatever frames were lost before, and those of a lower index once more`, async () => {
      const lines = linesOf(recorded.stream)
      for (const gap of gapsIn(lines.length)) {
        await using watch = await watching()
        const { replay, scheduler, stream, told, over } = watch
        const there = streamedStates({ ...recorded, stream: recorded.stream.slice(0, gap) }).at(-1)
        replay.on('GET /v1/jobs', { body: there === undefined ? [] : [there.job] })
        replay.on('GET /v1/allocations', { body: there?.allocations ?? [] })
        replay.on('GET /v1/evaluations', { body: there?.evaluations ?? [] })
        replay.on('GET /v1/nodes', { body: [] })
        told.push(...(await scheduler.list(new AbortController().signal)))
        await play(stream, lines.slice(Math.max(0, gap - 2)))
        stream.end()
        await assert.rejects(over, Unavailable)
        const what = `from frame ${gap} of ${lines.length}`
        assertSubsequence(told, expected, what)
        assert.deepEqual(told.at(-1), expected.at(-1), what)
      }
    })

    it(`tells ${name} the same when frames come again, and when all come from the beginning`, async () => {
      await using watch = await watching()
      const { stream, told, over } = watch
      const lines = linesOf(recorded.stream)
      await play(
        stream,
        lines.flatMap((line) => [line, line]),
      )
      await until(() => sameAs(told.at(-1), expected.at(-1)), 'the end is told')
      const before = told.length
      await play(stream, lines)
      stream.end()
      await assert.rejects(over, Unavailable)
      assertSubsequence(told.slice(0, before), expected, 'twice each')
      assert.deepEqual(told.slice(before), [], 'from the beginning')
    })
  }
})

function sameAs(one: unknown, other: unknown): boolean {
  try {
    assert.deepEqual(one, other)
    return true
  } catch {
    return false
  }
}

/** States may be passed over when the next one is there already; none is made up, none comes back. */
function assertSubsequence(
  told: readonly Observation[],
  expected: readonly Observation[],
  what: string,
): void {
  let from = 0
  for (const one of told) {
    const at = expected.findIndex((other, i) => i >= from && sameAs(one, other))
    assert.ok(at >= 0, `${what}: ${JSON.stringify(one)} is not, or not any more, a recorded state`)
    from = at
  }
}
