import assert from 'node:assert/strict'
import { metaOf } from '../../../../adapters/scheduler/nomad/identity.ts'
import type {
  AllocationView,
  EvaluationView,
  JobView,
} from '../../../../adapters/scheduler/nomad/views.ts'
import { Rejected, Unavailable } from '../../../../src/core/errors.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { type NomadReplay, nomadReplay, type ReplayAnswer } from '../../../support/nomad-replay.ts'
import { openedOn, type OpenedScheduler } from './opened.ts'
import { recording } from './recordings.ts'

const never = new AbortController().signal
const UNIT = unitNamed('lh-1', { image: 'busybox:1.36', command: ['true'] })
const JOB: JobView = { ID: 'lh-1', CreateIndex: 1, ModifyIndex: 1, Meta: metaOf(UNIT) }
const ALLOCATION: AllocationView = {
  ID: 'a1',
  JobID: 'lh-1',
  NodeID: 'n1',
  CreateIndex: 2,
  ModifyIndex: 2,
  ClientStatus: 'running',
}

/** The `n`th recorded answer to a call, as it was. */
function recorded(name: string, method: string, n = 0): ReplayAnswer {
  const { status, body } = recording(name).calls.filter((call) => call.method === method)[n]!
  return { status, body }
}

async function rejected(work: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Rejected, String(error))
    assert.match(error.message, message)
    return true
  })
}

describe('what Nomad is asked', () => {
  let replay: NomadReplay
  let opened: OpenedScheduler
  let job: JobView | undefined
  beforeEach(async () => {
    replay = await nomadReplay()
    opened = openedOn(replay.address)
    job = JOB
    replay.on('GET /v1/agent/self', { body: { config: { Version: { Version: '1.6.5' } } } })
    replay.on('GET /v1/job/lh-1', () => (job === undefined ? { status: 404 } : { body: job }))
  })
  afterEach(async () => {
    await opened[Symbol.asyncDispose]()
    await replay[Symbol.asyncDispose]()
  })
  const asked = () => replay.asked.map((one) => one.replace(/[?&](namespace|all)=\w+/g, ''))

  describe('to start a unit', () => {
    const start = () => opened.scheduler.start(UNIT, never)

    it('is to register its job, where there is none of its id', async () => {
      let sent: JsonObject = {}
      replay.on('PUT /v1/jobs', ({ body }) => {
        sent = body as JsonObject
        return recorded('exit-3', 'PUT')
      })
      await start()
      const { Job: registered, ...rest } = sent
      assert.deepEqual(rest, { EnforceIndex: true, JobModifyIndex: 0 })
      const { ID, Type, Meta } = registered as JsonObject
      assert.deepEqual([ID, Type, Meta], ['lh-1', 'batch', metaOf(UNIT)])
    })

    it('is by the release of the agent, which is asked for once', async () => {
      let sent: JsonObject = {}
      replay.on('PUT /v1/jobs', ({ body }) => {
        sent = (body as { Job: JsonObject }).Job
        return { body: {} }
      })
      await start()
      await start()
      const [group] = sent['TaskGroups'] as JsonObject[]
      assert.ok(group?.['MaxClientDisconnect'] !== undefined && group['Disconnect'] === undefined)
      assert.equal(asked().filter((call) => call.startsWith('GET /v1/agent/self')).length, 1)
    })

    it('is nothing where the agent’s release cannot be told', async () => {
      replay.on('GET /v1/agent/self', { status: 403, body: 'Permission denied' })
      await assert.rejects(start(), /agent:read.*403 Permission denied/)
      replay.on('GET /v1/agent/self', { body: { config: { Version: { Version: 'dev' } } } })
      await assert.rejects(start(), Unavailable)
      assert.ok(!asked().some((call) => call.startsWith('PUT')))
    })

    it('has been done, where the job is there and is this attempt’s', async () => {
      const { status, body } = recording('register-twice').calls.find(
        (call) => call.method === 'PUT' && call.status !== 200,
      )!
      replay.on('PUT /v1/jobs', { status, body })
      await start()
      job = { ...JOB, Meta: metaOf({ ...UNIT, identity: { ...UNIT.identity, attempt: 2 } }) }
      await rejected(start(), /the job lh-1 is there and is another attempt/)
      job = { ...JOB, Meta: null }
      await rejected(start(), /is another attempt/)
      job = undefined
      await assert.rejects(start(), { name: 'Unavailable', code: 'removed' })
    })

    const validated = (...errors: readonly string[]) => ({
      body: {
        DriverConfigValidated: true,
        Error: errors.join(),
        ValidationErrors: errors.length === 0 ? null : errors,
        Warnings: '',
      },
    })
    const INVALID =
      'Task group attempt validation failed: 1 error occurred:\n\t* Missing task driver\n\n'
    const NO_NAMESPACE = 'job "lh-1" is in nonexistent namespace "work"'

    it('is refused for good where the validation says so, in its words and one line', async () => {
      for (const said of [recorded('register-invalid', 'PUT'), { status: 500, body: 'No leader' }])
        for (const errors of [[INVALID], [NO_NAMESPACE, INVALID]]) {
          replay.on('PUT /v1/jobs', said)
          replay.on('PUT /v1/validate/job', validated(...errors))
          await rejected(
            start(),
            /^Task group attempt validation failed: 1 error occurred: \* Missing task driver$/,
          )
        }
    })

    // As Nomad does it: the namespace of a validation is the job's, that of a registration the query's.
    it('is validated in its own namespace: a token may have rights in no other', async () => {
      await using own = openedOn(replay.address, { namespace: 'work' })
      replay.on('PUT /v1/jobs', recorded('register-invalid', 'PUT'))
      replay.on('PUT /v1/validate/job', ({ body }) => {
        const { Namespace = 'default' } = (body as { Job: JsonObject }).Job
        if (Namespace !== 'work') return { status: 403, body: 'Permission denied' }
        return validated(INVALID)
      })
      await rejected(own.scheduler.start(UNIT, never), /Missing task driver$/)
    })

    it('may be tried again where the job is valid, or nobody says', async () => {
      replay.on('PUT /v1/jobs', { status: 500, body: 'No cluster leader' })
      for (const answer of [validated(), { status: 500, body: 'No cluster leader' }]) {
        replay.on('PUT /v1/validate/job', answer)
        await assert.rejects(start(), { name: 'Unavailable', message: /500 No cluster leader/ })
      }
    })

    it('may be tried again where all that is wrong is a namespace that may yet come', async () => {
      const body = `1 error occurred:\n\t* ${NO_NAMESPACE}\n\n`
      replay.on('PUT /v1/jobs', { status: 500, body })
      replay.on('PUT /v1/validate/job', validated(NO_NAMESPACE))
      await assert.rejects(start(), {
        name: 'Unavailable',
        message: /nonexistent namespace "work"/,
      })
    })

    it('may be tried again where the token may not, or it was too much', async () => {
      for (const status of [403, 429]) {
        replay.on('PUT /v1/jobs', { ...recorded('acl-denied', 'PUT'), status })
        await assert.rejects(start(), Unavailable)
      }
      replay.on('PUT /v1/jobs', { status: 413, body: 'request too large' })
      await rejected(start(), /request too large/)
    })

    it('is nothing for a unit of another installation', async () => {
      const identity = { ...UNIT.identity, installation: 'another' }
      await rejected(opened.scheduler.start({ ...UNIT, identity }, never), /another installation/)
      assert.deepEqual(asked(), [])
    })
  })

  describe('to stop a unit', () => {
    let allocations: AllocationView[]
    beforeEach(() => {
      allocations = []
      replay.on('GET /v1/job/lh-1/allocations', () => ({ body: allocations }))
      replay.on('DELETE /v1/job/lh-1', recorded('stop-running', 'DELETE'))
    })
    const stops = async (): Promise<boolean> => {
      await opened.scheduler.stop('lh-1', never)
      const calls = asked().filter((call) => call.startsWith('DELETE'))
      assert.ok(calls.every((call) => call === 'DELETE /v1/job/lh-1'))
      return calls.length > 0
    }

    it('is to deregister its job, whether it has begun or not', async () => {
      assert.ok(await stops())
      allocations = [ALLOCATION]
      assert.ok(await stops())
    })

    it('is nothing where it has ended, was deregistered or is not there', async () => {
      allocations = [{ ...ALLOCATION, ClientStatus: 'complete' }]
      assert.ok(!(await stops()))
      allocations = [ALLOCATION]
      job = { ...JOB, Stop: true }
      assert.ok(!(await stops()))
      job = undefined
      assert.ok(!(await stops()))
    })

    it('is nothing for a job of somebody else', async () => {
      job = { ...JOB, Meta: { ...JOB.Meta, 'longhaul.installation': 'another' } }
      assert.ok(!(await stops()))
    })
  })

  describe('to remove a unit', () => {
    let allocations: AllocationView[]
    let evaluations: EvaluationView[]
    let deletes: string[]
    beforeEach(() => {
      allocations = []
      evaluations = []
      deletes = []
      replay.on('GET /v1/job/lh-1/allocations', () => ({ body: allocations }))
      replay.on('GET /v1/job/lh-1/evaluations', () => ({ body: evaluations }))
      replay.on('DELETE /v1/job/lh-1', ({ query }) => {
        const purge = query.get('purge') === 'true'
        deletes.push(purge ? 'purge' : 'stop')
        if (purge) job = undefined
        return recorded('purge-finished', 'DELETE')
      })
      replay.on('GET /v1/nodes', { body: [] })
    })
    const remove = () => opened.scheduler.remove('lh-1', never)
    const evaluation = (Status: string, TriggeredBy: string): EvaluationView => {
      return { ID: TriggeredBy, JobID: 'lh-1', CreateIndex: 3, ModifyIndex: 3, Status, TriggeredBy }
    }
    /** Answers once as it is, and then as it will be. */
    const then = (now: () => void, later: () => void, path: string, body: () => unknown) => {
      let n = 0
      now()
      replay.on(path, () => {
        if (n > 0) later()
        n += 1
        return { body: body() }
      })
    }

    it('is to purge what is over, at once', async () => {
      job = { ...JOB, Status: 'dead' }
      allocations = [{ ...ALLOCATION, ClientStatus: 'complete' }]
      await remove()
      assert.deepEqual(deletes, ['purge'])
      assert.equal(asked().length, 3)
    })

    it('is to end what runs, and to purge it when nothing of it runs any more', async () => {
      job = { ...JOB, Status: 'running' }
      then(
        () => (allocations = [ALLOCATION]),
        () => {
          assert.deepEqual(deletes, ['stop'])
          allocations = [{ ...ALLOCATION, ClientStatus: 'complete' }]
        },
        'GET /v1/job/lh-1/allocations',
        () => allocations,
      )
      await remove()
      assert.deepEqual(deletes, ['stop', 'purge'])
    })

    it('waits for what may still be placed', async () => {
      job = { ...JOB, Status: 'pending' }
      then(
        () => (evaluations = [evaluation('pending', 'job-register')]),
        () => {
          assert.deepEqual(deletes, ['stop'])
          evaluations = [evaluation('complete', 'job-register')]
        },
        'GET /v1/job/lh-1/evaluations',
        () => evaluations,
      )
      await remove()
      assert.deepEqual(deletes, ['stop', 'purge'])
    })

    it('waits for no end of a disconnect, and for nothing on nodes that do not answer', async () => {
      job = { ...JOB, Status: 'pending', Stop: true }
      evaluations = [evaluation('pending', 'max-disconnect-timeout')]
      allocations = [{ ...ALLOCATION, ClientStatus: 'unknown' }]
      await remove()
      assert.deepEqual(deletes, ['purge'])
      job = { ...JOB, Status: 'running', Stop: true }
      allocations = [{ ...ALLOCATION, ClientStatus: 'running', DesiredStatus: 'stop' }]
      replay.on('GET /v1/nodes', { body: [{ ID: 'n1', Status: 'disconnected' }] })
      await remove()
      assert.deepEqual(deletes, ['purge', 'purge'])
    })

    it('waits, where the job was purged, for what still runs of it', async () => {
      job = undefined
      then(
        () => (allocations = [{ ...ALLOCATION, DesiredStatus: 'stop' }]),
        () => (allocations = [{ ...ALLOCATION, ClientStatus: 'complete' }]),
        'GET /v1/job/lh-1/allocations',
        () => allocations,
      )
      await remove()
      assert.deepEqual(deletes, [])
    })

    it('gives up when the signal is aborted, and purges nothing that runs', async () => {
      job = { ...JOB, Status: 'running' }
      allocations = [ALLOCATION]
      const given = new AbortController()
      replay.on('GET /v1/nodes', () => {
        given.abort()
        return { body: [] }
      })
      await assert.rejects(opened.scheduler.remove('lh-1', given.signal), Unavailable)
      assert.deepEqual(deletes, ['stop'])
    })

    it('is nothing for a job of somebody else, and for one that is not there', async () => {
      job = { ...JOB, Meta: { ...JOB.Meta, 'longhaul.installation': 'another' } }
      await remove()
      job = undefined
      await remove()
      assert.deepEqual(deletes, [])
    })
  })

  it('is nothing once it is closed', async () => {
    await opened.scheduler[Symbol.asyncDispose]()
    await assert.rejects(opened.scheduler.list(never), Unavailable)
    await assert.rejects(opened.scheduler.watch(never), Unavailable)
    assert.deepEqual(asked(), [])
  })
})
