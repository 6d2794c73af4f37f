import { Rejected, Unavailable } from '../../../src/core/errors.ts'
import type { TaskType } from '../../../src/core/task-type.ts'
import type { Lack } from '../../../src/ports/scheduler-examination.ts'
import { driversOf, readyNodes } from './check-nodes.ts'
import { DENIED, type NomadApi } from './client/nomad-api.ts'
import { grantsOf } from './job/grants.ts'
import { SETTINGS_PATH, settingsOf } from './job/settings.ts'
import { Nodes } from './nodes.ts'
import { sampleOf } from './warnings.ts'

/** Something that must be in Nomad before a task can start, and where its file says it. */
type Need = { readonly path: readonly string[] } & (
  | { readonly kind: 'variable'; readonly name: string; readonly item: string }
  | { readonly kind: 'node pool' | 'driver'; readonly name: string }
)

/** What a look has found out; nothing is said of what the token may not read. */
interface Found {
  /** The items of each variable that is there. */
  readonly variables: ReadonlyMap<string, readonly string[] | 'denied' | undefined>
  readonly pools: ReadonlyMap<string, 'there' | 'denied' | undefined>
  /** Those of every node that is ready; undefined where no node is, or none may be seen. */
  readonly drivers: ReadonlySet<string> | undefined
}

/** The variables, node pools and drivers that the task types name and this Nomad does not have. */
export async function lackingOf(
  api: NomadApi,
  types: readonly TaskType[],
  signal: AbortSignal,
): Promise<readonly Lack[]> {
  const needs = types.flatMap((type) =>
    needsOf(type).map((need) => ({ taskType: type.name, need })),
  )
  const found = await lookFor(
    api,
    needs.map(({ need }) => need),
    signal,
  )
  return needs.flatMap(({ taskType, need }) => {
    const lack = lackOf(need, found)
    return lack === undefined ? [] : [{ taskType, path: need.path, ...lack }]
  })
}

function needsOf(type: TaskType): readonly Need[] {
  try {
    const settings = settingsOf(type.service)
    const { driver, nodePool } = settings
    const subject = { unit: sampleOf(type), settings, facts: {} }
    return [
      { kind: 'driver', name: driver, path: [...SETTINGS_PATH, 'driver'] },
      ...(nodePool === undefined
        ? []
        : [{ kind: 'node pool', name: nodePool, path: [...SETTINGS_PATH, 'node_pool'] } as const]),
      ...(['secrets', 'configs'] as const).flatMap((kind) =>
        grantsOf(type.service.compose[kind] ?? null, kind, { ...subject, path: [kind] }).map(
          ({ path: name, item }, i): Need => ({
            kind: 'variable',
            name,
            item,
            path: [kind, String(i)],
          }),
        ),
      ),
    ]
  } catch (error) {
    // What cannot be read is refused elsewhere, with the reason.
    if (error instanceof Rejected) return []
    throw error
  }
}

async function lookFor(api: NomadApi, needs: readonly Need[], signal: AbortSignal): Promise<Found> {
  const names = (kind: Need['kind']) => [
    ...new Set(needs.filter((need) => need.kind === kind).map(({ name }) => name)),
  ]
  const each = async <T>(of: readonly string[], ask: (name: string) => Promise<T>) =>
    new Map(
      await Promise.all(of.map(async (name) => [name, await unlessDenied(ask(name))] as const)),
    )
  const [variables, pools, nodes] = await Promise.all([
    each(names('variable'), async (name) => {
      const path = name.split('/').map(encodeURIComponent).join('/')
      const found = await api.find<VariableView>(`/v1/var/${path}`, signal)
      return found === undefined ? undefined : Object.keys(found.Items ?? {})
    }),
    each(names('node pool'), async (name) => {
      const path = `/v1/node/pool/${encodeURIComponent(name)}`
      return (await api.find(path, signal)) === undefined ? undefined : ('there' as const)
    }),
    new Nodes(api).read(signal),
  ])
  const ready = readyNodes(nodes)
  const drivers = ready.length === 0 ? undefined : new Set(ready.flatMap((node) => driversOf(node)))
  return { variables, pools, drivers }
}

interface VariableView {
  readonly Items?: Readonly<Record<string, string>> | null
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
    case 'driver':
      if (found.drivers?.has(name) !== false) return undefined
      return {
        message: `no node that is ready has the driver ${name}`,
        remedy: `configure it on the nodes, or write another \`x-task.nomad.driver\``,
      }
  }
}
