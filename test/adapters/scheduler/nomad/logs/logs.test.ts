import assert from 'node:assert/strict'
import type { AllocationView, JobView } from '../../../../../adapters/scheduler/nomad/views.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import {
  type NomadReplay,
  nomadReplay,
  type ReplayAnswer,
  type ReplayStream,
} from '../../../../support/nomad-replay.ts'
import { startedTask, until } from '../../../../support/store.ts'
import { REAL_CLOCK, startHarness } from '../../../../http/harness.ts'
import { openedOn, type OpenedScheduler } from '../opened.ts'

const never = new AbortController().signal
const STARTED = '2026-01-01T00:00:00Z'
const LOGS = '/v1/client/fs/logs/a1'
/** A node’s come every second; further apart than what lies in a pipe. */
const BEAT_MS = 600

const allocation = (state: string, ClientStatus: string): AllocationView => ({
  ID: 'a1',
  JobID: 'lh-1',
  CreateIndex: 2,
  ModifyIndex: 2,
  ClientStatus,
  TaskStates: { main: { State: state, StartedAt: state === 'pending' ? null : STARTED } },
})
const PENDING = allocation('pending', 'pending')
const RUNNING = allocation('running', 'running')
const OVER = allocation('dead', 'complete')
const frame = (text: string | Buffer) =>
  JSON.stringify({ Data: Buffer.from(text).toString('base64'), File: 'f', Offset: 1 })

describe('the logs of Nomad', () => {
  let replay: NomadReplay
  let opened: OpenedScheduler
  let allocations: AllocationView[]
  let job: JobView | undefined
  beforeEach(async () => {
    replay = await nomadReplay()
    opened = openedOn(replay.address)
    allocations = [RUNNING]
    job = { ID: 'lh-1', CreateIndex: 1, ModifyIndex: 1, Status: 'running' }
    replay.on('GET /v1/job/lh-1/allocations', () => ({ body: allocations }))
    replay.on('GET /v1/job/lh-1', () => (job === undefined ? { status: 404 } : { body: job }))
  })
  afterEach(async () => {
    await opened[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })

  const logs = (options: { tailBytes?: number; follow?: boolean; signal?: AbortSignal } = {}) =>
    opened.scheduler.logs('lh-1', { signal: never, ...options })
  const read = async (options: Parameters<typeof logs>[0] = {}): Promise<string> => {
    let text = ''
    for await (const chunk of logs(options)) text += chunk
    return text
  }

  describe('that are read to their end', () => {
    const outputs = (out: ReplayAnswer, err: ReplayAnswer) => {
      replay.on(`GET ${LOGS}`, ({ query }) => (query.get('type') === 'stdout' ? out : err))
    }

    it('are what went to stdout, then what went to stderr', async () => {
      outputs({ body: 'one\nzwölf\n' }, { body: 'three\n' })
      assert.equal(await read(), 'one\nzwölf\nthree\n')
    })

    it('are their end, as far back as asked', async () => {
      outputs({ body: 'three\n' }, { body: '' })
      assert.equal(await read({ tailBytes: 6 }), 'three\n')
      const query = new URL(replay.asked.at(-1)!.slice(4), 'http://nomad').searchParams
      assert.deepEqual([query.get('origin'), query.get('offset')], ['end', '6'])
    })

    it('are those of the first allocation: a later one is a copy', async () => {
      outputs({ body: 'one\n' }, { body: '' })
      const later = { ...RUNNING, ID: 'a2', CreateIndex: 9 }
      allocations = [later, RUNNING]
      assert.equal(await read(), 'one\n')
    })

    it('are nothing where nothing was placed, has started, or is left of it', async () => {
      outputs({ status: 404, body: 'Unknown allocation "a1"' }, { status: 404 })
      assert.equal(await read(), '')
      for (const none of [[], [PENDING], [allocation('dead', 'failed')]]) {
        allocations = none
        assert.equal(await read(), '')
      }
    })

    it('are Unavailable where the node does not answer', async () => {
      outputs({ status: 500, body: 'rpc error: EOF' }, { body: '' })
      await assert.rejects(read(), { name: 'Unavailable', message: /500 rpc error/ })
    })
  })

  describe('that are followed', () => {
    let out: ReplayStream
    let err: ReplayStream
    let said: ReplayAnswer | (() => ReplayAnswer)
    let beating: NodeJS.Timeout | undefined
    beforeEach(() => {
      replay.streams(LOGS, 'chunked')
      said = { body: RUNNING }
      replay.on('GET /v1/allocation/a1', () => (typeof said === 'function' ? said() : said))
    })
    afterEach(() => {
      clearInterval(beating)
    })
    const looks = () => replay.asked.filter((one) => one.includes('/v1/allocation/a1')).length
    const lookedAgain = async () => {
      const before = looks()
      await until(() => looks() > before, 'it is looked at again')
    }
    /** Both streams are there when it resolves, and beat from then on as those of a node do. */
    const streaming = async () => {
      const streams = [await replay.stream(0), await replay.stream(1)]
      const of = (type: string) => streams.find(({ url }) => url.searchParams.get('type') === type)!
      out = of('stdout')
      err = of('stderr')
      beating = setInterval(() => {
        for (const stream of [out, err]) void stream.write('{}')
      }, BEAT_MS)
    }
    /** Reads on. */
    const following = async (options: Parameters<typeof logs>[0] = {}) => {
      let text = ''
      const reading = (async () => {
        for await (const chunk of logs({ follow: true, ...options })) text += chunk
      })()
      reading.catch(() => undefined)
      await streaming()
      return { reading, text: () => text }
    }

    it('come as they are written, whichever way they are cut', async () => {
      const { text } = await following()
      const one = Buffer.from(frame('zwölf\n'))
      for (const byte of one) await out.write(Buffer.from([byte]))
      await until(() => text() === 'zwölf\n', 'the first line')
      await err.write(`{}${frame('drei\n')}{}`)
      await until(() => text() === 'zwölf\ndrei\n', 'the second line')
    })

    it('keep a character that comes in two pieces', async () => {
      const { text } = await following()
      const bytes = Buffer.from('ö')
      await out.write(frame(bytes.subarray(0, 1)))
      await out.write(frame(bytes.subarray(1)))
      await until(() => text() === 'ö', 'it is whole')
    })

    it('end when the task has, with what was still under way', async () => {
      const { reading, text } = await following()
      await out.write(frame('one\n'))
      said = { body: OVER }
      await lookedAgain()
      await out.write('{}')
      await out.write(frame('two\n'))
      await reading
      assert.equal(text(), 'one\ntwo\n')
      await until(() => out.closed && err.closed, 'both are left')
    })

    it('end with all of it for whoever reads slowly, whatever has come meanwhile', async () => {
      const slowly = logs({ follow: true })
      const first = slowly.next()
      await streaming()
      clearInterval(beating)
      await err.write(frame('one\n'))
      assert.equal((await first).value, 'one\n')
      // The reader is busy; in the pipe, one behind the other, there is:
      for (const piece of ['{}', '{}', '{}', frame('two\n'), '{}', '{}', '{}']) {
        await out.write(piece)
      }
      said = { body: OVER }
      await lookedAgain()
      for (const _ of [1, 2, 3]) await opened.scheduler.check(never)
      const second = slowly.next()
      await streaming()
      assert.equal((await second).value, 'two\n')
      assert.equal((await slowly.next()).done, true)
    })

    it('end when the task has, though nobody could say so before', async () => {
      const answers: ReplayAnswer[] = [{ status: 500, body: 'No cluster leader' }]
      said = () => answers.shift() ?? { body: OVER }
      const { reading, text } = await following()
      await out.write(frame('one\n'))
      await reading
      assert.equal(text(), 'one\n')
      assert.equal(looks(), 2)
    })

    it('go on while the task does, however many heartbeats come', async () => {
      const { text } = await following()
      await lookedAgain()
      await lookedAgain()
      await out.write(frame('late\n'))
      await until(() => text() === 'late\n', 'it is there')
      assert.ok(!out.closed && !err.closed)
    })

    it('end when the allocation is not known any more', async () => {
      said = { status: 404, body: 'alloc not found' }
      const { reading } = await following()
      await reading
      await until(() => out.closed && err.closed, 'both are left')
    })

    it('end with the task where its node goes with it', async () => {
      const { reading, text } = await following()
      await out.write(frame('one\n'))
      await until(() => text() === 'one\n', 'it is there')
      said = { body: { ...OVER, ClientStatus: 'lost' } }
      out.destroy()
      await reading
      assert.equal(text(), 'one\n')
    })

    it('are Unavailable where a stream breaks off while the task runs', async () => {
      const { reading } = await following()
      out.destroy()
      await assert.rejects(reading, Unavailable)
      await until(() => err.closed, 'the other one is left')
    })

    it('are Unavailable where an error comes in the middle', async () => {
      const { reading } = await following()
      await out.write('failed to stream')
      await assert.rejects(reading, { name: 'Unavailable', message: /failed to stream/ })
    })

    it('begin as far back as asked', async () => {
      await following({ tailBytes: 100 })
      for (const { url } of [out, err]) {
        const { searchParams: query } = url
        assert.deepEqual([query.get('origin'), query.get('offset')], ['end', '100'])
      }
    })

    it('are left when the signal is aborted, and their connections with them', async () => {
      const given = new AbortController()
      const { reading } = await following({ signal: given.signal })
      given.abort()
      await assert.rejects(reading, Unavailable)
      await until(() => out.closed && err.closed, 'both are left')
    })

    it('are waited for before the task has started', async () => {
      allocations = []
      const asked = () => replay.asked.filter((one) => one.includes('/allocations')).length
      const starting = following()
      await until(() => asked() > 0, 'it is looked for')
      allocations = [PENDING]
      await until(() => asked() > 1, 'it is looked for again')
      allocations = [RUNNING]
      await starting
    })

    it('are nothing where the job is over or gone without having started', async () => {
      allocations = []
      for (const gone of [{ ...job!, Status: 'dead' }, undefined]) {
        job = gone
        assert.equal(await read({ follow: true }), '')
      }
    })

    describe('by many', () => {
      const MOST = 10
      const refused = { name: 'Unavailable', code: 'too-many-followers' }
      let followers: { readonly reader: ReturnType<typeof logs>; readonly given: AbortController }[]
      beforeEach(() => {
        followers = []
      })
      afterEach(() => {
        for (const { given } of followers) given.abort()
      })
      /** Resolves once it has read something, and is not asked for more. */
      const follow = async () => {
        const given = new AbortController()
        const follower = { reader: logs({ follow: true, signal: given.signal }), given }
        const n = followers.push(follower) - 1
        const first = follower.reader.next()
        // A failure is told at once, in place of streams.
        await Promise.race([first, replay.stream(2 * n + 1)])
        await (await replay.stream(2 * n)).write(frame('x'))
        assert.equal((await first).value, 'x')
        return follower
      }
      const full = async (): Promise<void> => {
        for (let i = 0; i < MOST; i += 1) await follow()
      }
      const refuses = () => assert.rejects(logs({ follow: true }).next(), refused)

      it('hold up no call, and one too many is told so at once', async () => {
        await full()
        await refuses()
        for (const path of ['jobs', 'allocations', 'evaluations', 'nodes']) {
          replay.on(`GET /v1/${path}`, { body: [] })
        }
        assert.deepEqual(await opened.scheduler.list(AbortSignal.timeout(5_000)), [])
        // What does not wait for more is read all the same.
        allocations = [PENDING]
        assert.equal(await read(), '')
      })

      it('leave room when they leave, in whichever way', async () => {
        await full()
        await followers[0]!.reader.return()
        await follow()
        await refuses()
        const more = followers[1]!.reader.next()
        followers[1]!.given.abort()
        await assert.rejects(more, Unavailable)
        await follow()
        await refuses()
        // Nobody comes back for what it would have said.
        followers[2]!.given.abort()
        await follow()
        await refuses()
      })

      describe('of whom some wait for a start', () => {
        const ELSEWHERE = '/v1/client/fs/logs/a2'
        let other: AllocationView
        beforeEach(() => {
          other = { ...PENDING, ID: 'a2', JobID: 'lh-2' }
          replay.on('GET /v1/job/lh-2/allocations', () => ({ body: [other] }))
          replay.on('GET /v1/job/lh-2', () => ({ body: { ...job!, ID: 'lh-2' } }))
        })
        const asked = () => replay.asked.filter((one) => one.includes('lh-2/allocations')).length
        /** Resolves once it has looked, and found it not started. */
        const wait = async () => {
          const given = new AbortController()
          const reader = opened.scheduler.logs('lh-2', { follow: true, signal: given.signal })
          const before = asked()
          const first = reader.next()
          first.catch(() => undefined)
          followers.push({ reader, given })
          await until(() => asked() > before, 'it is looked for')
          return { first }
        }
        /** Resolves once what it is now has been seen, and nothing has come of it. */
        const stillWaits = async ({ first }: Awaited<ReturnType<typeof wait>>) => {
          const before = asked()
          await Promise.race([first, until(() => asked() > before + 1, 'it is looked at again')])
        }

        it('leave the room to those who follow something', async () => {
          for (let i = 0; i < MOST; i += 1) await wait()
          const given = followers[0]!.given
          const first = logs({ follow: true, signal: given.signal }).next()
          await Promise.race([first, replay.stream(1)])
          await (await replay.stream(0)).write(frame('x'))
          assert.equal((await first).value, 'x')
        })

        it('are not refused in the middle: these wait on for room', async () => {
          await full()
          const waiting = await wait()
          replay.streams(ELSEWHERE, 'chunked')
          other = { ...RUNNING, ID: 'a2', JobID: 'lh-2' }
          await stillWaits(waiting)
          await refuses()
          await followers[0]!.reader.return()
          await (await replay.stream(2 * MOST)).write(frame('late'))
          assert.equal((await waiting.first).value, 'late')
        })

        it('need no room for what is over when they see it', async () => {
          await full()
          const { first } = await wait()
          replay.on(`GET ${ELSEWHERE}`, ({ query }) => ({
            body: query.get('type') === 'stdout' ? 'all of it' : '',
          }))
          other = { ...OVER, ID: 'a2', JobID: 'lh-2' }
          assert.equal((await first).value, 'all of it')
        })
      })

      it('are answered over HTTP with what to do', async () => {
        await full()
        await using http = await startHarness({ scheduler: opened.scheduler })
        replay.on('GET /v1/job/*/allocations', { body: [RUNNING] })
        await startedTask(http.store, REAL_CLOCK, '1', { state: 'queued' }, { state: 'running' })
        const path = '/v1/tasks/encode/1/attempts/1/logs'
        const { status, headers, body } = await http.call('GET', `${path}?follow=true`)
        assert.equal(status, 503)
        assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/)
        assert.equal(body['code'], 'too-many-followers')
        assert.match(String(body['detail']), /^10 logs are followed already.*without following it$/)
      })
    })
  })
})
