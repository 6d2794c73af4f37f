import { isJsonObject } from '../../../src/core/json.ts'
import { text } from './jobs.ts'
import { DEFAULT_NAMESPACE } from './objects.ts'
import { type Answer, namespaceOf, type Request } from './routes/route.ts'
import type { State } from './state.ts'

/** Who may call, by the secret: whoever has no namespace may everything, others what is in theirs. */
export type Tokens = ReadonlyMap<string, { readonly namespace?: string }>

const ALLOCATION = /^\/v1\/(?:client\/fs\/logs|allocation)\/([^/]+)(\/stop)?$/
/** Nodes and agents are in no namespace, and are read by every token here. */
const IN_NAMESPACE = /^\/v1\/(?:jobs?|allocations|evaluations|validate|event)(?:\/|$)/

/**
 * With ACLs on, a call without a token is refused: 403, but for the event stream's 500, which it was
 * until its answer came before anybody asks (1.11.2). Who leads is told to everybody.
 */
export function denied(request: Request, tokens: Tokens, state: State): Answer | undefined {
  const { path, headers } = request
  if (tokens.size === 0 || path === '/v1/status/leader' || path === '/v1/agent/health') {
    return undefined
  }
  const secret = headers['x-nomad-token']
  const token = tokens.get(String(secret))
  if (token === undefined) {
    return secret === undefined ? refusal(path) : { status: 403, body: 'ACL token not found' }
  }
  if (token.namespace === undefined) return undefined
  const id = ALLOCATION.exec(path)?.[1]
  if (id !== undefined) {
    const allocation = state.allocations.get(id)
    if (allocation === undefined || allocation.Namespace === token.namespace) return undefined
    return ofAnother(path, id)
  }
  if (!IN_NAMESPACE.test(path) || namespaceAsked(request) === token.namespace) return undefined
  return refusal(path)
}

function refusal(path: string): Answer {
  const body = 'Permission denied'
  if (path !== '/v1/event/stream') return { status: 403, body }
  return { status: 500, body, type: 'application/json' }
}

/** As seen on a real 1.6.5. */
function ofAnother(path: string, id: string): Answer {
  if (path.endsWith('/stop')) return { status: 403, body: 'Permission denied' }
  const body = path.startsWith('/v1/client') ? 'Permission denied' : `Unknown allocation "${id}"`
  return { status: 500, body }
}

/** A validation is of the job's own, whatever the query says (ValidateJobRequest). */
function namespaceAsked({ path, query, body }: Request): string {
  if (path !== '/v1/validate/job') return namespaceOf(query)
  const { Job: job } = isJsonObject(body) ? body : {}
  return (isJsonObject(job) && text(job['Namespace'])) || DEFAULT_NAMESPACE
}
