import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { FakeNomad, FakeNomadOptions } from '../../../support/fake-nomad/fake-nomad.ts'
import type { ReadStream } from './fake-stream.ts'
import { likeness, Names, type ToldEvent, type ToldFrame } from './likeness.ts'
import type { Recording } from './recordings.ts'
import { reportedIn, tellingFrames, toldBy } from './told.ts'

/** What happened beside the calls of a recording, and how a fake is brought to it. */
export interface Story {
  readonly nomad?: FakeNomadOptions
  /** Before the recorded frame of this index. */
  readonly before?: Readonly<Record<number, (nomad: FakeNomad) => void | Promise<void>>>
  /** Calls whose bodies were recorded in the middle of something, by what. */
  readonly inTheMiddle?: Readonly<Record<number, string>>
  /** Why the recorded tasks did not end as others do: how is not compared. */
  readonly endedOddly?: string
  /** Before anything is recorded. */
  readonly first?: (nomad: FakeNomad) => void
  /** What had been told before a call that is answered with no index. */
  readonly after?: Readonly<Record<number, number>>
}

/** The recorded programs, made to wait for the test in place of the time; those to be killed hold out. */
export function steered(recorded: Recording, go: string): Recording {
  const waits = `until test -e ${go}; do sleep 0.02; done`
  const text = JSON.stringify(recorded)
    .replaceAll('sleep 60', `trap \\"\\" INT; ${waits}`)
    .replaceAll(/sleep (1|2|35)(?=[";])/g, waits)
  return JSON.parse(text) as Recording
}

/** A recording, played once more on a fake. */
export class Play {
  readonly #nomad: FakeNomad
  readonly #stream: ReadStream
  readonly #recorded: Recording
  readonly #since: number
  readonly #frames: readonly ToldFrame[]
  readonly #steps: [index: number, act: (nomad: FakeNomad) => void | Promise<void>][]
  readonly #story: Story
  readonly #answers: { readonly response: Response; readonly text: string }[] = []

  constructor(of: {
    readonly nomad: FakeNomad
    readonly stream: ReadStream
    readonly recorded: Recording
    readonly story: Story
    readonly go: string
  }) {
    this.#nomad = of.nomad
    this.#since = of.nomad.state.index
    this.#stream = of.stream
    this.#recorded = of.recorded
    this.#frames = of.recorded.stream as unknown as readonly ToldFrame[]
    this.#story = of.story
    const ended = this.#frames.find(({ Events }) => (Events ?? []).some(endsByItself))?.Index
    this.#steps = [
      ...Object.entries(of.story.before ?? {}).map(([index, act]): [number, typeof act] => [
        Number(index),
        act,
      ]),
      ...(ended === undefined ? [] : [[ended, () => writeFile(of.go, '')] as const]),
    ].map(([index, act]) => [index, act])
    this.#steps.sort(([a], [b]) => a - b)
  }

  /** Asks as was asked, each time when as much has happened. */
  async calls(): Promise<void> {
    for (const [i, call] of this.#recorded.calls.entries()) {
      const index = Number(call.headers['x-nomad-index'] ?? this.#story.after?.[i] ?? 0)
      await this.reach(call.method === 'GET' ? index : index - 1)
      const path = this.#theirs().translate(call.path, this.#ours())
      const response = await fetch(`${this.#nomad.address}${path}`, {
        method: call.method,
        ...(call.requestBody !== undefined && { body: JSON.stringify(call.requestBody) }),
      })
      const text = call.path.includes('follow=true')
        ? await followed(response, call.body as string)
        : await response.text()
      this.#answers.push({ response, text })
    }
  }

  /** Each answer, once it is known who is who in it. */
  compareAnswers(): void {
    const [ours, theirs] = [this.#ours(), this.#theirs()]
    for (const [i, { response, text }] of this.#answers.entries()) {
      const { method, path, status, headers, body } = this.#recorded.calls[i]!
      const what = `call ${i}: ${method} ${path}`
      assert.equal(response.status, status, what)
      for (const [header, value] of Object.entries(headers)) {
        const said = response.headers.get(header)
        if (header === 'x-nomad-index') assert.equal(Number(said) > 0, Number(value) > 0, what)
        else assert.equal(said, value, `${what}: ${header}`)
      }
      const isText = typeof body === 'string' && !text.startsWith('"')
      const said = isText ? text : (JSON.parse(text) as Json)
      if (this.#story.inTheMiddle?.[i] !== undefined) continue
      assert.deepEqual(this.#view(said, ours), this.#view(body as Json, theirs), what)
    }
  }

  /** Goes on until everything is told that had been told up to this index. */
  async reach(index: number): Promise<void> {
    for (let step = this.#steps[0]; step !== undefined && step[0] <= index; step = this.#steps[0]) {
      this.#steps.shift()
      await this.#until(step[0] - 1)
      await step[1](this.#nomad)
    }
    await this.#until(index)
  }

  compareStreams(): void {
    if (this.#frames.length === 0) return
    const by = (names: Names) => ({
      isSeen: (event: ToldEvent) => names === theirNames || this.#isSeen(event),
      view: (object: Json) => this.#view(object, names),
    })
    const [ourNames, theirNames] = [this.#ours(), this.#theirs()]
    const ours = toldBy(this.#told, ourNames, by(ourNames))
    const theirs = toldBy(this.#frames, theirNames, by(theirNames))
    assert.deepEqual(Object.keys(ours.objects), Object.keys(theirs.objects))
    for (const [name, states] of Object.entries(theirs.objects)) {
      assert.deepEqual(ours.objects[name], states, name)
    }
    assert.deepEqual(ours.frames, theirs.frames)
  }

  async #until(index: number): Promise<void> {
    const before = this.#frames.filter(({ Index = 0 }) => Index <= index)
    const count = eventsIn(tellingFrames(before, () => true)).length
    await this.#stream.until(
      () => eventsIn(tellingFrames(this.#told, (event) => this.#isSeen(event))).length >= count,
      `${count} events, up to index ${index}`,
    )
  }

  /** Without what a stream begins with: the newest of what was before. */
  get #told(): readonly ToldFrame[] {
    return this.#stream.frames.filter(({ Index = 0 }) => Index > this.#since)
  }

  #view(value: Json, names: Names): Json {
    return likeness(this.#story.endedOddly === undefined ? value : withoutEnds(value), names)
  }

  /** Of a short task nobody need have heard that it ran. */
  #isSeen(event: ToldEvent): boolean {
    if (reportedIn(event)?.status !== 'running') return true
    const name = this.#ours().of(event.Key)
    return eventsIn(this.#frames).some(
      (one) => reportedIn(one)?.status === 'running' && this.#theirs().of(one.Key) === name,
    )
  }

  #ours(): Names {
    return new Names().learn(this.#frames.length === 0 ? [] : this.#told)
  }

  #theirs(): Names {
    return new Names().learn(this.#frames)
  }
}

function eventsIn(frames: readonly ToldFrame[]): readonly ToldEvent[] {
  return frames.flatMap(({ Events }) => Events ?? [])
}

function endsByItself(event: ToldEvent): boolean {
  const { DesiredStatus } = (event.Payload['Allocation'] ?? {}) as { DesiredStatus?: string }
  return DesiredStatus === 'run' && ['complete', 'failed'].includes(reportedIn(event)?.status ?? '')
}

/** Without what tasks' events tell from their end on. */
function withoutEnds(value: Json): Json {
  if (Array.isArray(value)) {
    const items = value as readonly Json[]
    const end = items.findIndex((one) => isJsonObject(one) && one['Type'] === 'Terminated')
    return items.slice(0, end < 0 ? items.length : end).map(withoutEnds)
  }
  if (!isJsonObject(value)) return value
  const members = Object.entries(value).map(([key, member]) => [key, withoutEnds(member)])
  return Object.fromEntries(members) as JsonObject
}

/** What comes, until it is what was recorded: the same output, and a heartbeat after it. */
async function followed(response: Response, expected: string): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array)
    if (text.endsWith('{}') && outputIn(text) === outputIn(expected)) break
  }
  const frames = (of: string) => [...of.matchAll(/\{("[^{}]*)\}/g)].map(([frame]) => frame)
  const last = (of: string) => ({ ...JSON.parse(frames(of).at(-1) ?? '{}'), Data: '' }) as Json
  assert.deepEqual(last(text), last(expected))
  return expected
}

function outputIn(frames: string): string {
  const data = [...frames.matchAll(/"Data":"([^"]*)"/g)].map(([, base64 = '']) => base64)
  return data.map((base64) => Buffer.from(base64, 'base64').toString()).join('')
}
