import assert from 'node:assert/strict'
import type { AllocationView, JobView } from '../../../../adapters/scheduler/nomad/views.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import {
  type NomadReplay,
  nomadReplay,
  type ReplayAnswer,
  type ReplayStream,
} from '../../../support/nomad-replay.ts'
import { until } from '../../../support/store.ts'
import { openedOn, type OpenedScheduler } from './opened.ts'

const never = new AbortController().signal
const STARTED = '2026-01-01T00:00:00Z'
const LOGS = '/v1/client/fs/logs/a1'

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
    let over: (answer: ReplayAnswer) => void
    beforeEach(() => {
      replay.streams(LOGS, 'chunked')
      // As a blocking query: answered when there is something to say.
      const said = new Promise<ReplayAnswer>((resolve) => (over = resolve))
      replay.on('GET /v1/allocation/a1', () => said)
    })
    /** Reads on; both streams are there when it resolves. */
    const following = async (options: Parameters<typeof logs>[0] = {}) => {
      let text = ''
      const reading = (async () => {
        for await (const chunk of logs({ follow: true, ...options })) text += chunk
      })()
      reading.catch(() => undefined)
      const streams = [await replay.stream(0), await replay.stream(1)]
      const of = (type: string) => streams.find(({ url }) => url.searchParams.get('type') === type)!
      out = of('stdout')
      err = of('stderr')
      return { reading, text: () => text }
    }
    const beats = async () => {
      for (const stream of [out, err, out, err]) await stream.write('{}')
    }

    it('come as they are written, whichever way they are cut', async () => {
      const { reading, text } = await following()
      const one = Buffer.from(frame('zwölf\n'))
      for (const byte of one) await out.write(Buffer.from([byte]))
      await until(() => text() === 'zwölf\n', 'the first line')
      await err.write(`{}${frame('drei\n')}{}`)
      await until(() => text() === 'zwölf\ndrei\n', 'the second line')
      over({ body: OVER })
      await until(async () => {
        await beats()
        return out.closed && err.closed
      }, 'both are left')
      await reading
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
      over({ body: OVER })
      await out.write('{}')
      await out.write(frame('two\n'))
      await until(async () => {
        await beats()
        return out.closed && err.closed
      }, 'both are left')
      await reading
      assert.equal(text(), 'one\ntwo\n')
    })

    it('go on while the task does, however many heartbeats come', async () => {
      const { text } = await following()
      for (let i = 0; i < 5; i += 1) await beats()
      await out.write(frame('late\n'))
      await until(() => text() === 'late\n', 'it is there')
      assert.ok(!out.closed && !err.closed)
    })

    it('end when the allocation is not known any more', async () => {
      const { reading } = await following()
      over({ status: 404, body: 'alloc not found' })
      await until(async () => {
        await beats()
        return out.closed && err.closed
      }, 'both are left')
      await reading
    })

    it('end with the task where its node goes with it', async () => {
      const { reading, text } = await following()
      await out.write(frame('one\n'))
      await until(() => text() === 'one\n', 'it is there')
      await until(() => replay.asked.some((one) => one.includes('/allocation/a1')), 'it is asked')
      over({ body: { ...OVER, ClientStatus: 'lost' } })
      // What is asked for after that, and answered, comes after it.
      for (const _ of [1, 2, 3]) await opened.scheduler.check(never)
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
      const looks = () => replay.asked.filter((one) => one.includes('/allocations')).length
      const starting = following()
      await until(() => looks() > 0, 'it is looked for')
      allocations = [PENDING]
      await until(() => looks() > 1, 'it is looked for again')
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
  })
})
