import { allocationStub } from '../allocations.ts'
import type { Cluster } from '../cluster.ts'
import { newestFirst, pageOf, type Token } from '../lists.ts'
import { sendLogs } from '../logs.ts'
import type { Allocation } from '../objects.ts'
import type { State } from '../state.ts'
import { type Answer, keyIn, listedIn, type Request, type Route } from './route.ts'

/** How long a blocking query is held at most. */
const LONGEST_WAIT_MS = 300_000

const byCreation: Token<{ readonly ID: string; readonly CreateIndex: number }> = (one) => [
  one.CreateIndex,
  one.ID,
]

/**
 * Allocations and evaluations, of one job and of all. One that is asked for by its own id, and its logs,
 * is told whatever namespace the query has: its own decides who may (nomad/alloc_endpoint.go).
 */
export function allocationRoutes(parts: {
  readonly state: State
  readonly cluster: Cluster
  readonly folder: string
  readonly isReachable: (node: string) => boolean
}): readonly Route[] {
  const { state, cluster, folder, isReachable } = parts
  return [
    {
      method: 'GET',
      path: /^\/v1\/job\/([^/]+)\/allocations$/,
      handle({ query }, job) {
        const own = state.allocationsOf(keyIn(query, job))
        const index = newestFirst(own)[0]?.ModifyIndex ?? state.last.allocations
        return { body: own.map(allocationStub), index }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/job\/([^/]+)\/evaluations$/,
      handle({ query }, job) {
        const own = state.evaluationsOf(keyIn(query, job))
        return { body: own, index: newestFirst(own)[0]?.ModifyIndex ?? state.last.evaluations }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/allocations$/,
      handle({ query }) {
        const all = listedIn(query, state.allocations.values())
        const { page, ...rest } = pageOf(all, query, byCreation)
        return { body: page.map(allocationStub), index: state.last.allocations, ...rest }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/evaluations$/,
      handle({ query }) {
        const all = listedIn(query, state.evaluations.values())
        const { page, ...rest } = pageOf(all, query, byCreation)
        return { body: page, index: state.last.evaluations, ...rest }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/allocation\/([^/]+)$/,
      handle: ({ query }, id) => allocationRead(state, id, query),
    },
    {
      method: 'PUT',
      path: /^\/v1\/allocation\/([^/]+)\/stop$/,
      handle(_, id) {
        const found = state.allocations.get(id)
        if (found === undefined) return { status: 404, body: 'alloc not found' }
        const { index, evaluation } = cluster.stop(found)
        return { body: { EvalID: evaluation, Index: index }, written: index }
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/client\/fs\/logs\/([^/]+)$/,
      async handle({ query }, id, response) {
        const allocation = state.allocations.get(id)
        const output = query.get('type') === 'stderr' ? 'stderr' : 'stdout'
        const refused = noLogs(id, allocation, query, isReachable)
        if (refused !== undefined) return refused
        await sendLogs(response, { folder, allocation: id, output, query })
        return 'streamed'
      },
    },
  ]
}

/** Held where nothing has changed since the index that is asked with. */
async function allocationRead(state: State, id: string, query: Request['query']): Promise<Answer> {
  const since = Number(query.get('index') ?? 0)
  const waitMs = Math.min(LONGEST_WAIT_MS, durationMs(query.get('wait') ?? '5m'))
  const find = () => state.allocations.get(id)
  const isNew = () => (find()?.ModifyIndex ?? 0) > since
  if (since > 0 && find() !== undefined && !isNew()) await changed(state, isNew, waitMs)
  const found = find()
  if (found !== undefined) return { body: found, index: found.ModifyIndex }
  return { status: 404, body: 'alloc not found', index: state.last.allocations }
}

async function changed(state: State, is: () => boolean, limitMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const late = setTimeout(done, limitMs)
    // Whoever asked may be gone, and the test with it.
    late.unref()
    const leave = state.onCommit(() => {
      if (is()) done()
    })
    function done(): void {
      leave()
      clearTimeout(late)
      resolve()
    }
  })
}

function noLogs(
  id: string,
  allocation: Allocation | undefined,
  query: Request['query'],
  isReachable: (node: string) => boolean,
): Answer | undefined {
  const task = query.get('task')
  if (task === null) return { status: 400, body: 'must provide task name' }
  if (!['stdout', 'stderr'].includes(query.get('type') ?? '')) {
    return { status: 400, body: 'must provide log type (stdout/stderr)' }
  }
  const type = query.get('plain') === 'true' ? 'text/plain' : 'application/json'
  const refused = (body: string) => ({ status: 404, body, type })
  if (allocation === undefined) return refused(`Unknown allocation "${id}"`)
  if (!isReachable(allocation.NodeID)) return refused('No path to node')
  if (hasStarted(allocation)) return undefined
  return refused(`task "${task}" not started yet. No logs available`)
}

/** As far as the servers know. */
function hasStarted({ TaskStates }: Allocation): boolean {
  return Object.values(TaskStates ?? {}).some(({ StartedAt }) => StartedAt !== null)
}

function durationMs(text: string): number {
  const [, number = '0', unit = 's'] = /^(\d+)(ms|s|m)$/.exec(text) ?? []
  const each = { ms: 1, s: 1_000, m: 60_000 }[unit] ?? 0
  return Number(number) * each
}
