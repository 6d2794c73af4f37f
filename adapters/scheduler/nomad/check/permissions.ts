import type { JsonObject } from '../../../../src/core/json.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import { type Answer, messageIn, type NomadApi, type Query } from '../client/nomad-api.ts'
import type { AllocationView } from '../views.ts'

/** No unit's name. */
export const NOBODY = 'longhaul-doctor'

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

/** What has come of the calls. */
interface Heard {
  readonly missing: Set<string>
  /** Answers that say nothing of the token: somebody on the way has failed. */
  readonly failures: string[]
  noNamespace: boolean
}

/**
 * Whether the token may do what a daemon does, as far as that can be told without doing it: the right to
 * read logs shows only where there is an allocation. And whether the namespace is there.
 */
export async function checkPermissions(
  api: NomadApi,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  const heard: Heard = { missing: new Set(), failures: [], noNamespace: false }
  for (const { capability, method, path, query } of CALLS) {
    const answer = await api.call(method, path, {
      signal,
      ...(query !== undefined && { query }),
      ...(method === 'POST' && { body: { Job: { ...PLANNED, Namespace: api.namespace } } }),
    })
    hear(heard, answer, { capability, call: `${method} ${path}` })
  }
  await tryLogs(api, signal, heard)
  return [
    ...(heard.noNamespace ? [noNamespace(api.namespace)] : []),
    ...(heard.missing.size > 0 ? [denials(api.namespace, [...heard.missing])] : []),
    ...(heard.failures.length > 0 ? [failed(heard.failures)] : []),
    ...(heard.missing.size + heard.failures.length === 0
      ? [{ name: 'permissions', ok: true, message: 'every call gets through' }]
      : []),
  ]
}

function hear(
  heard: Heard,
  { status, body }: Answer,
  { capability, call }: { readonly capability: string; readonly call: string },
): void {
  const said = messageIn(body)
  if (status === 401 || status === 403) heard.missing.add(capability)
  else if (status < 500) return
  else if (said.includes('nonexistent namespace')) heard.noNamespace = true
  else if (capability !== 'submit-job' || !OF_THE_JOB.test(said)) {
    heard.failures.push(`${call}: ${status} ${said}`)
  }
}

/**
 * What a plan is refused for by rules of the cluster's own (a driver that a namespace does not allow)
 * says nothing of the daemon's jobs: it comes as a list (nomad/job_endpoint_hooks.go).
 */
const OF_THE_JOB = /^\d+ errors? occurred:/

function noNamespace(namespace: string): CheckResult {
  return {
    name: 'namespace',
    ok: false,
    message: `there is no namespace '${namespace}'`,
    remedy: `nomad namespace apply ${namespace}`,
  }
}

function denials(namespace: string, missing: readonly string[]): CheckResult {
  return {
    name: 'permissions',
    ok: false,
    message: `the token may not ${missing.join(', ')}`,
    remedy: `give it a policy with: namespace "${namespace}" { capabilities = ["list-jobs", "read-job", "submit-job", "read-logs"] } node { policy = "read" } agent { policy = "read" }`,
  }
}

function failed(failures: readonly string[]): CheckResult {
  return { name: 'calls', ok: false, message: failures.join('; '), remedy: LOGS }
}

/** Where to look when calls fail. */
export const LOGS = 'see the log of the Nomad agent, and of whatever stands before it'

/** A node whose logs cannot be had just now is no trouble of the token's, nor of the servers'. */
async function tryLogs(api: NomadApi, signal: AbortSignal, heard: Heard): Promise<void> {
  const path = '/v1/allocations'
  const query = { per_page: 1, reverse: true }
  const answer = await api.call('GET', path, { signal, query })
  hear(heard, answer, { capability: 'read-job', call: `GET ${path}` })
  const [one] = answer.status === 200 ? (answer.body as readonly AllocationView[]) : []
  const task = Object.keys(one?.TaskStates ?? {})[0]
  if (one === undefined || task === undefined) return
  const { status, body } = await api.call('GET', `/v1/client/fs/logs/${one.ID}`, {
    signal,
    query: { task, type: 'stdout', origin: 'end', offset: 1, plain: true },
  })
  // A node's denial loses its code on the way through the servers (seen on 1.6.5).
  const denied = status === 500 && messageIn(body).includes('Permission denied')
  if (status === 401 || status === 403 || denied) heard.missing.add('read-logs')
}
