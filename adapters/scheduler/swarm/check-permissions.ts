import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'
import { type EngineApi, messageIn } from './engine-api.ts'

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
}

/** A name that no service can have: a call about it is refused, and changes nothing, wherever it gets through. */
const NOBODY = '-'
const NOTHING = { filters: JSON.stringify({ name: ['longhaul-doctor'] }) }

/** One call of each kind that a daemon makes. */
const CALLS: readonly Call[] = [
  { method: 'GET', path: '/services', query: NOTHING },
  { method: 'GET', path: '/tasks', query: NOTHING },
  { method: 'GET', path: '/nodes', query: NOTHING },
  { method: 'GET', path: '/secrets', query: NOTHING },
  { method: 'GET', path: '/configs', query: NOTHING },
  { method: 'GET', path: '/networks', query: NOTHING },
  { method: 'POST', path: '/services/create' },
  { method: 'DELETE', path: `/services/${NOBODY}` },
]

/** Statuses of a proxy or a plugin that lets a call not through. */
const FORBIDDEN: ReadonlySet<number> = new Set([401, 403, 405])

/**
 * Whether the socket lets through what a daemon calls: one that is narrowed by a proxy may not. And
 * whether the managers answer: without a quorum nothing can be changed. `Unavailable` where no whole
 * answer comes.
 */
export async function checkPermissions(
  engine: EngineApi,
  signal: AbortSignal,
): Promise<CheckResult> {
  const name = 'permissions'
  const forbidden: string[] = []
  for (const { method, path, query } of CALLS) {
    const { status, body } = await engine.call(method, path, {
      signal,
      ...(query !== undefined && { query }),
      ...(method === 'POST' && { body: { Name: NOBODY } }),
    })
    if (FORBIDDEN.has(status)) forbidden.push(`${method} ${path}`)
    if (status >= 500 && WITHOUT_MANAGERS.test(messageIn(body))) {
      return { name: 'managers', ok: false, message: messageIn(body), remedy: NO_QUORUM }
    }
  }
  if (forbidden.length === 0) return { name, ok: true, message: 'every call gets through' }
  return {
    name,
    ok: false,
    message: `refused: ${forbidden.join(', ')}`,
    remedy: 'let these calls through where the socket is narrowed',
  }
}

/** Of the 500s only these: a call that is meant to be refused may be refused with one. */
const WITHOUT_MANAGERS = /does not have a leader|context deadline exceeded|not a swarm manager/

const NO_QUORUM =
  'a majority of the managers must answer: start them, or `docker swarm init --force-new-cluster` on one'
