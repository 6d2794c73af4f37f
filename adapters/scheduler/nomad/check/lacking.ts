import { Unavailable } from '../../../../src/core/errors.ts'
import type { TaskType } from '../../../../src/core/task-type.ts'
import type { Lack, Lacking, Unseen } from '../../../../src/ports/scheduler-examination.ts'
import { type Need, needsOf } from './needs.ts'
import { driversOf, readyNodes } from './nodes.ts'
import { DENIED, type NomadApi } from '../client/nomad-api.ts'
import type { NodeView } from '../views.ts'

/** What a look has found out, and where the token may not look. */
interface Found {
  /** The items of each variable that is there. */
  readonly variables: ReadonlyMap<string, readonly string[] | 'denied' | undefined>
  readonly pools: ReadonlyMap<string, 'there' | 'denied' | undefined>
  /** Those of every node that is ready; undefined where no node is. */
  readonly drivers: ReadonlySet<string> | 'denied' | undefined
}

/** The variables, node pools and drivers that the task types name and this Nomad does not have. */
export async function lackingOf(
  api: NomadApi,
  types: readonly TaskType[],
  signal: AbortSignal,
): Promise<Lacking> {
  const named = types.flatMap((type) =>
    needsOf(type).map((need) => ({ taskType: type.name, need })),
  )
  const needs = named.map(({ need }) => need)
  const found = await lookFor(api, needs, signal)
  const lacks = named.flatMap(({ taskType, need }) => {
    const lack = lackOf(need, found)
    return lack === undefined ? [] : [{ taskType, path: need.path, ...lack }]
  })
  return { lacks, unseen: unseenOf(needs, found, api.namespace) }
}

async function lookFor(api: NomadApi, needs: readonly Need[], signal: AbortSignal): Promise<Found> {
  const each = async <T>(of: readonly string[], ask: (name: string) => Promise<T>) =>
    new Map(
      await Promise.all(of.map(async (name) => [name, await unlessDenied(ask(name))] as const)),
    )
  const [variables, pools, nodes] = await Promise.all([
    each(namesOf('variable', needs), async (name) => {
      const path = name.split('/').map(encodeURIComponent).join('/')
      const found = await api.find<VariableView>(`/v1/var/${path}`, signal)
      return found === undefined ? undefined : Object.keys(found.Items ?? {})
    }),
    each(namesOf('node pool', needs), async (name) => {
      const path = `/v1/node/pool/${encodeURIComponent(name)}`
      return (await api.find(path, signal)) === undefined ? undefined : ('there' as const)
    }),
    unlessDenied(api.list<NodeView>('/v1/nodes', signal)),
  ])
  return { variables, pools, drivers: nodes === 'denied' ? nodes : driversIn(nodes) }
}

interface VariableView {
  readonly Items?: Readonly<Record<string, string>> | null
}

function namesOf(kind: Need['kind'], needs: readonly Need[]): readonly string[] {
  return [...new Set(needs.filter((need) => need.kind === kind).map(({ name }) => name))]
}

function driversIn(nodes: readonly NodeView[]): ReadonlySet<string> | undefined {
  const ready = readyNodes(nodes)
  return ready.length === 0 ? undefined : new Set(ready.flatMap((node) => driversOf(node)))
}

async function unlessDenied<T>(asked: Promise<T>): Promise<T | 'denied'> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof Unavailable && error.code === DENIED) return 'denied'
    throw error
  }
}

function lackOf(need: Need, found: Found): Pick<Lack, 'message' | 'remedy'> | undefined {
  const { name } = need
  switch (need.kind) {
    case 'variable': {
      const items = found.variables.get(name)
      if (items === 'denied' || items?.includes(need.item) === true) return undefined
      const remedy = `nomad var put ${name} ${need.item}=@FILE`
      return items === undefined
        ? { message: `Nomad has no variable ${name}`, remedy }
        : { message: `the variable ${name} has no item \`${need.item}\``, remedy }
    }
    case 'node pool':
      if (found.pools.get(name) !== undefined) return undefined
      return { message: `Nomad has no node pool ${name}`, remedy: 'nomad node pool apply FILE' }
    case 'driver': {
      const { drivers } = found
      if (drivers === 'denied' || drivers === undefined || drivers.has(name)) return undefined
      return {
        message: `no node that is ready has the driver ${name}`,
        remedy: `configure it on the nodes, or write another \`x-task.nomad.driver\``,
      }
    }
  }
}

/** Of what may not be seen nobody knows whether it is there: a daemon's own token reads no variables. */
function unseenOf(needs: readonly Need[], found: Found, namespace: string): readonly Unseen[] {
  const [variables, pools] = [deniedIn(found.variables), deniedIn(found.pools)]
  const paths = variables.map((path) => `path "${path}" { capabilities = ["read"] }`)
  const drivers = namesOf('driver', needs)
  return [
    ...hidden('variable', variables, [
      `namespace "${namespace}" { variables { ${paths.join(' ')} } }`,
    ]),
    ...hidden(
      'node pool',
      pools,
      pools.map((pool) => `node_pool "${pool}" { policy = "read" }`),
    ),
    ...(found.drivers === 'denied' ? hidden('driver', drivers, ['node { policy = "read" }']) : []),
    ...(found.drivers === undefined ? nowhere(drivers) : []),
  ]
}

function deniedIn(found: ReadonlyMap<string, unknown>): readonly string[] {
  return [...found].flatMap(([name, of]) => (of === 'denied' ? [name] : []))
}

function hidden(
  kind: Need['kind'],
  names: readonly string[],
  rules: readonly string[],
): readonly Unseen[] {
  if (names.length === 0) return []
  const message = `the token may not see the ${kind}${names.length > 1 ? 's' : ''} ${names.join(', ')}`
  return [{ message, remedy: `look with one whose policy has: ${rules.join(' ')}` }]
}

function nowhere(drivers: readonly string[]): readonly Unseen[] {
  if (drivers.length === 0) return []
  const message = `no node is ready that could have the driver ${drivers.join(' or ')}`
  return [{ message, remedy: 'nomad node status' }]
}
