import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { Cluster, Done } from '../cluster.ts'
import { invalidities, jobStub, listed, text } from '../jobs.ts'
import { newestFirst, pageOf } from '../lists.ts'
import { DEFAULT_NAMESPACE, groupOf, jobKey } from '../objects.ts'
import type { State } from '../state.ts'
import { type Answer, keyIn, listedIn, type Request, type Route } from './route.ts'

export function jobRoutes(parts: {
  readonly state: State
  readonly cluster: Cluster
  readonly namespaces: ReadonlySet<string>
}): readonly Route[] {
  const { state, cluster, namespaces } = parts
  return [
    { method: 'PUT', path: /^\/v1\/jobs$/, handle: (request) => registered(parts, request) },
    { method: 'GET', path: /^\/v1\/jobs$/, handle: ({ query }) => jobList(state, query) },
    {
      method: 'PUT',
      path: /^\/v1\/validate\/job$/,
      handle: ({ body }) => validated(namespaces, body),
    },
    {
      method: 'PUT',
      path: /^\/v1\/job\/([^/]+)\/plan$/,
      handle: (request) => {
        const errors = errorsOf(namespaces, request)
        if (errors.length > 0) return { status: 500, body: listed(...errors) }
        return { body: PLAN, written: 0 }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/job\/([^/]+)$/,
      handle({ query }, id) {
        const job = state.jobs.get(keyIn(query, id))
        if (job !== undefined) return { body: job, index: job.ModifyIndex }
        return { status: 404, body: 'job not found', index: state.last.jobs }
      },
    },
    {
      method: 'DELETE',
      path: /^\/v1\/job\/([^/]+)$/,
      handle({ query }, id) {
        const done = cluster.deregister(keyIn(query, id), query.get('purge') === 'true')
        const body = { ...writtenBody(done), VolumeEvalID: '', VolumeEvalIndex: 0 }
        return { body, written: done?.index ?? 0 }
      },
    },
  ]
}

function registered(
  { state, cluster, namespaces }: Parameters<typeof jobRoutes>[0],
  request: Request,
): Answer {
  const { Job: written, EnforceIndex } = isJsonObject(request.body) ? request.body : {}
  if (!isJsonObject(written)) return { status: 400, body: 'Job must be specified' }
  const errors = errorsOf(namespaces, request)
  if (errors.length > 0) return { status: 500, body: listed(...errors) }
  const namespace = namespaceFor(written, request)
  if (state.jobs.has(jobKey(namespace, text(written['ID'])))) {
    if (EnforceIndex !== true) throw new Error('the fake Nomad registers no job a second time')
    return { status: 500, body: 'Enforcing job modify index 0: job already exists' }
  }
  const done = cluster.register(written, namespace)
  return { body: { ...writtenBody(done), Warnings: '' }, written: done.index }
}

/** Of a job that is registered or planned: the query's comes first (command/agent/job_endpoint.go). */
function namespaceFor(written: JsonObject, { query }: Request): string {
  return query.get('namespace') ?? (text(written['Namespace']) || DEFAULT_NAMESPACE)
}

function errorsOf(namespaces: ReadonlySet<string>, request: Request): readonly string[] {
  const { Job: written } = isJsonObject(request.body) ? request.body : {}
  if (!isJsonObject(written)) return []
  return invalidities(written, namespaceFor(written, request), namespaces)
}

function jobList(state: State, query: Request['query']): Answer {
  const prefix = query.get('prefix') ?? ''
  const all = listedIn(query, state.jobs.values())
  const wanted = all.filter(({ ID }) => ID.startsWith(prefix))
  const { page, ...rest } = pageOf(wanted, query, ({ Namespace, ID }) => [Namespace, ID])
  const body = page.map((job) => {
    const key = jobKey(job.Namespace, job.ID)
    const latest = newestFirst(state.evaluationsOf(key))
    const told = latest.find(({ QueuedAllocations }) => QueuedAllocations !== undefined)
    const queued = told?.QueuedAllocations?.[groupOf(job).Name] ?? 0
    return {
      ...jobStub(job, state.allocationsOf(key), queued),
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

/** In the job's own namespace, whatever the query says (ValidateJobRequest). */
function validated(namespaces: ReadonlySet<string>, body: Json | undefined): Answer {
  const { Job: written = {} } = isJsonObject(body) ? body : {}
  const errors = isJsonObject(written)
    ? invalidities(written, text(written['Namespace']) || DEFAULT_NAMESPACE, namespaces)
    : []
  const Error = errors.length === 0 ? '' : listed(...errors)
  const ValidationErrors = errors.length === 0 ? null : errors
  return { body: { DriverConfigValidated: true, Error, ValidationErrors, Warnings: '' } }
}
