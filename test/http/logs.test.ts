import assert from 'node:assert/strict'
import { Unavailable } from '../../src/core/errors.ts'
import type { HttpDeps } from '../../src/http/deps.ts'
import { changeOf, found, newAttempt, startedTask, until } from '../support/store.ts'
import { type Harness, REAL_CLOCK, startHarness, TextStream } from './harness.ts'

type Logs = HttpDeps['scheduler']['logs']

/** A scheduler whose unit writes what a test tells it to. */
class Output {
  readonly asked: { readonly unit: string; readonly options: Parameters<Logs>[1] }[] = []
  closed = 0
  #chunks: string[] = []
  #over = false
  #wake: () => void = () => undefined

  write(...chunks: string[]): void {
    this.#chunks.push(...chunks)
    this.#wake()
  }

  end(): void {
    this.#over = true
    this.#wake()
  }

  readonly logs: Logs = (unit, options) => this.#read(unit, options)

  async *#read(unit: string, options: Parameters<Logs>[1]): ReturnType<Logs> {
    this.asked.push({ unit, options })
    options.signal.addEventListener('abort', () => {
      this.#wake()
    })
    try {
      while (!options.signal.aborted) {
        yield* this.#chunks.splice(0)
        if (this.#over || options.follow !== true) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.closed += 1
    }
  }
}

describe("an attempt's output over HTTP", () => {
  let output: Output
  let http: Harness
  beforeEach(async () => {
    output = new Output()
    http = await startHarness({ scheduler: output })
    await startedTask(http.store, REAL_CLOCK, '1', { state: 'queued' }, { state: 'running' })
  })
  afterEach(() => http[Symbol.asyncDispose]())

  const path = '/v1/tasks/encode/1/attempts/1/logs'

  it('is what the scheduler has, as plain text', async () => {
    output.write('one\n', 'two\n')
    const { status, headers, body } = await http.call('GET', path)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(body['text'], 'one\ntwo\n')
    assert.equal(output.asked[0]!.unit, 'lh-encode-1')
    assert.equal(output.asked[0]!.options.follow, false)
    assert.equal(output.asked[0]!.options.tailBytes, undefined)
  })

  it('takes a tail in bytes, with k and m', async () => {
    for (const tail of ['100', '16k', '2M']) await http.call('GET', `${path}?tail=${tail}`)
    assert.deepEqual(
      output.asked.map(({ options }) => options.tailBytes),
      [100, 16_384, 2_097_152],
    )
    for (const tail of ['-1', '1g', 'all']) {
      assert.equal((await http.call('GET', `${path}?tail=${tail}`)).status, 422)
    }
  })

  it('is 404 for an attempt that there is not', async () => {
    const { status, body } = await http.call('GET', path.replace('attempts/1', 'attempts/2'))
    assert.equal(status, 404)
    assert.equal(body['code'], 'unknown-attempt')
    assert.equal((await http.call('GET', path.replace('attempts/1', 'attempts/0'))).status, 422)
  })

  it('can be followed until the attempt is over', async () => {
    await using stream = await TextStream.open(`${http.url}${path}?follow=true`)
    assert.equal(stream.response.status, 200)
    output.write('one\n')
    await until(() => stream.text === 'one\n', 'the first line')
    output.write('two\n')
    await until(() => stream.text === 'one\ntwo\n', 'the second line')
    assert.equal(stream.ended, false)
    output.end()
    await until(() => stream.ended, 'its end')
  })

  it('lets go of the scheduler when the follower leaves', async () => {
    const stream = await TextStream.open(`${http.url}${path}?follow=true`)
    output.write('one\n')
    await until(() => stream.text !== '', 'the first line')
    await stream[Symbol.asyncDispose]()
    await until(() => output.closed === 1, 'the scheduler is let go of')
  })

  it('lets go of the scheduler when the server closes', async () => {
    await using stream = await TextStream.open(`${http.url}${path}?follow=true`)
    output.write('one\n')
    await until(() => stream.text !== '', 'the first line')
    await http.server[Symbol.asyncDispose]()
    await until(() => output.closed === 1 && stream.ended, 'all is let go of')
  })

  it("is the exit's tail once the unit has been removed", async () => {
    const at = new Date()
    const exit = { reason: 'failed', fault: 'task', code: 1, at, logTail: 'über\n' } as const
    const attempts = [
      newAttempt(REAL_CLOCK, 1, { state: 'exited', exit, exitedAt: at, releasedAt: at }),
    ]
    const record = await found(http.store, 'encode/1')
    await http.store.tasks.apply(changeOf(record, { state: 'exited' }, { attempts }))
    assert.equal((await http.call('GET', path)).body['text'], 'über\n')
    assert.equal((await http.call('GET', `${path}?follow=true`)).body['text'], 'über\n')
    assert.equal((await http.call('GET', `${path}?tail=5`)).body['text'], 'ber\n')
    assert.equal(output.asked.length, 0)
  })

  it('is 503 while the scheduler does not answer', async () => {
    await using other = await startHarness({ scheduler: { logs: failing } })
    await startedTask(other.store, REAL_CLOCK, '1', {}, { state: 'running' })
    for (const query of ['', '?follow=true']) {
      const { status, body } = await other.call('GET', path + query)
      assert.equal(status, 503)
      assert.equal(body['code'], 'away')
    }
  })

  it('is cut off, and not ended, where the scheduler breaks in the middle', async () => {
    await using other = await startHarness({ scheduler: { logs: breaking } })
    await startedTask(other.store, REAL_CLOCK, '1', {}, { state: 'running' })
    await assert.rejects(other.call('GET', path))
    assert.ok(other.logger.events.includes('http.stream-broken'))
  })
})

async function* failing(): ReturnType<Logs> {
  await Promise.resolve()
  yield* []
  throw new Unavailable('away', 'the scheduler does not answer')
}

async function* breaking(): ReturnType<Logs> {
  await Promise.resolve()
  yield 'one\n'
  throw new Unavailable('away', 'the scheduler does not answer')
}
