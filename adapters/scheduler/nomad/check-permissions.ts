import { Unavailable } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'
import { messageIn, type NomadApi, type Query } from './client/nomad-api.ts'
import type { AllocationView } from './views.ts'
import { subscribe } from './watch/event-stream.ts'

const EVENTS_MS = 5_000
/** No unit's name. */
const NOBODY = 'longhaul-doctor'

/** A plan of it changes nothing, and is refused to whoever may not register it. */
const PLANNED: JsonObject = {
  ID: NOBODY,
  Name: NOBODY,
  Type: 'batch',
  Datacenters: ['*'],
  TaskGroups: [
    {
      Name: NOBODY,
      Count: 1,
      Tasks: [{ Name: NOBODY, Driver: 'raw_exec', Config: { command: 'true' } }],
    },
  ],
}

/** One call for each capability that a daemon needs. */
const CALLS: readonly {
  readonly capability: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly query?: Query
}[] = [
  { capability: 'list-jobs', method: 'GET', path: '/v1/jobs', query: { prefix: NOBODY } },
  { capability: 'read-job', method: 'GET', path: `/v1/job/${NOBODY}` },
  { capability: 'submit-job', method: 'POST', path: `/v1/job/${NOBODY}/plan` },
  { capability: 'node:read', method: 'GET', path: '/v1/nodes' },
  { capability: 'agent:read', method: 'GET', path: '/v1/agent/self' },
]

/**
 * Whether the token may do what a daemon does, as far as that can be told without doing it: the right to
 * read logs shows only where there is an allocation. And whether the namespace is there.
 */
export async function checkPermissions(
  api: NomadApi,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const missing: string[] = []
  let namespace: CheckResult | undefined
  for (const { capability, method, path, query } of CALLS) {
    const { status, body } = await api.call(method, path, {
      signal,
      ...(query !== undefined && { query }),
      ...(method === 'POST' && { body: { Job: { ...PLANNED, Namespace: api.namespace } } }),
    })
    if (status === 401 || status === 403) missing.push(capability)
    if (status === 500 && messageIn(body).includes('nonexistent namespace')) {
      namespace = {
        name: 'namespace',
        ok: false,
        message: `there is no namespace '${api.namespace}'`,
        remedy: `nomad namespace apply ${api.namespace}`,
      }
    }
  }
  if (!(await mayReadLogs(api, signal))) missing.push('read-logs')
  return [...(namespace === undefined ? [] : [namespace]), permissions(api.namespace, missing)]
}

function permissions(namespace: string, missing: readonly string[]): CheckResult {
  const name = 'permissions'
  if (missing.length === 0) return { name, ok: true, message: 'every call gets through' }
  return {
    name,
    ok: false,
    message: `the token may not ${missing.join(', ')}`,
    remedy: `give it a policy with: namespace "${namespace}" { capabilities = ["list-jobs", "read-job", "submit-job", "read-logs"] } node { policy = "read" } agent { policy = "read" }`,
  }
}

async function mayReadLogs(api: NomadApi, signal: AbortSignal): Promise<boolean> {
  const query = { per_page: 1, reverse: true }
  const answer = await api.call('GET', '/v1/allocations', { signal, query })
  const [one] = answer.status === 200 ? (answer.body as readonly AllocationView[]) : []
  const task = Object.keys(one?.TaskStates ?? {})[0]
  if (one === undefined || task === undefined) return true
  const { status } = await api.call('GET', `/v1/client/fs/logs/${one.ID}`, {
    signal,
    query: { task, type: 'stdout', origin: 'end', offset: 1, plain: true },
  })
  return status !== 401 && status !== 403
}

/** Whether the events can be subscribed to: a denial shows in their absence alone. */
export async function checkEvents(api: NomadApi, signal: AbortSignal): Promise<CheckResult> {
  const name = 'events'
  const left = new AbortController()
  try {
    const until = AbortSignal.any([signal, left.signal])
    await subscribe(api, { signal: until, mentions: NOBODY, firstMs: EVENTS_MS })
    return { name, ok: true, message: 'the event stream can be subscribed to' }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return {
      name,
      ok: false,
      message: error.message,
      remedy: 'see `permissions`, and `enable_event_broker` of the servers',
    }
  } finally {
    left.abort()
  }
}
