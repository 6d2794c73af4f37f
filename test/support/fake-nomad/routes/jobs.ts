import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { Cluster, Done } from '../cluster.ts'
import { invalidity, jobStub, listed, text } from '../jobs.ts'
import { newestFirst, pageOf } from '../lists.ts'
import { groupOf } from '../objects.ts'
import type { State } from '../state.ts'
import type { Answer, Request, Route } from './route.ts'

export function jobRoutes(state: State, cluster: Cluster): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: /^\/v1\/jobs$/,
      handle: ({ body }) => registered(state, cluster, body),
    },
    { method: 'GET', path: /^\/v1\/jobs$/, handle: ({ query }) => jobList(state, query) },
    { method: 'PUT', path: /^\/v1\/validate\/job$/, handle: ({ body }) => validated(body) },
    {
      method: 'PUT',
      path: /^\/v1\/job\/([^/]+)\/plan$/,
      handle: () => ({ body: PLAN, written: 0 }),
    },
    {
      method: 'GET',
      path: /^\/v1\/job\/([^/]+)$/,
      handle(_, id) {
        const job = state.jobs.get(id)
        if (job !== undefined) return { body: job, index: job.ModifyIndex }
        return { status: 404, body: 'job not found', index: state.last.jobs }
      },
    },
    {
      method: 'DELETE',
      path: /^\/v1\/job\/([^/]+)$/,
      handle({ query }, id) {
        const done = cluster.deregister(id, query.get('purge') === 'true')
        const body = { ...writtenBody(done), VolumeEvalID: '', VolumeEvalIndex: 0 }
        return { body, written: done?.index ?? 0 }
      },
    },
  ]
}

function registered(state: State, cluster: Cluster, body: Json | undefined): Answer {
  const { Job: written, EnforceIndex } = isJsonObject(body) ? body : {}
  if (!isJsonObject(written)) return { status: 400, body: 'Job must be specified' }
  const wrong = invalidity(written)
  if (wrong !== undefined) return { status: 500, body: listed(wrong) }
  const id = text(written['ID'])
  const namespace = text(written['Namespace']) || 'default'
  if (namespace !== 'default') {
    const said = `job "${id}" is in nonexistent namespace "${namespace}"`
    return { status: 500, body: listed(said) }
  }
  if (state.jobs.has(id)) {
    if (EnforceIndex !== true) throw new Error('the fake Nomad registers no job a second time')
    return { status: 500, body: 'Enforcing job modify index 0: job already exists' }
  }
  const done = cluster.register(written)
  return { body: { ...writtenBody(done), Warnings: '' }, written: done.index }
}

function jobList(state: State, query: Request['query']): Answer {
  const prefix = query.get('prefix') ?? ''
  const wanted = [...state.jobs.values()].filter(({ ID }) => ID.startsWith(prefix))
  const { page, ...rest } = pageOf(wanted, query, ({ Namespace, ID }) => [Namespace, ID])
  const body = page.map((job) => {
    const latest = newestFirst(state.evaluationsOf(job.ID))
    const told = latest.find(({ QueuedAllocations }) => QueuedAllocations !== undefined)
    const queued = told?.QueuedAllocations?.[groupOf(job).Name] ?? 0
    return {
      ...jobStub(job, state.allocationsOf(job.ID), queued),
      ...(query.get('meta') === 'true' && { Meta: job.Meta }),
    }
  })
  return { body, index: Math.max(state.last.jobs, state.last.allocations), ...rest }
}

const PLAN = {
  Annotations: null,
  CreatedEvals: null,
  Diff: null,
  FailedTGAllocs: null,
  Warnings: '',
}

function writtenBody(done: Done | undefined): JsonObject {
  const { index, evaluation } = done ?? { index: 0, evaluation: '' }
  return {
    EvalCreateIndex: index,
    EvalID: evaluation,
    Index: index,
    JobModifyIndex: index,
    KnownLeader: false,
    LastContact: 0,
    NextToken: '',
  }
}

function validated(body: Json | undefined): Answer {
  const { Job: written = {} } = isJsonObject(body) ? body : {}
  const wrong = isJsonObject(written) ? invalidity(written) : undefined
  const errors = wrong === undefined ? null : [wrong]
  const Error = wrong === undefined ? '' : listed(wrong)
  return { body: { DriverConfigValidated: true, Error, ValidationErrors: errors, Warnings: '' } }
}
