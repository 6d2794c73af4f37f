import { Rejected } from '../../../src/core/errors.ts'
import { isJsonObject } from '../../../src/core/json.ts'
import type { Service, TaskType } from '../../../src/core/task-type.ts'
import type { Lack } from '../../../src/ports/scheduler-examination.ts'
import type { EngineApi } from './engine-api.ts'
import { grantsOf } from './spec/grants.ts'
import { networksOf } from './spec/networks.ts'

type Kind = 'secrets' | 'configs' | 'networks'

/** A name that must be in the swarm before a task can start, and where its file says it. */
interface Need {
  readonly kind: Kind
  readonly name: string
  readonly path: readonly string[]
}

/** Networks that every node has; a task is put on them without a look-up. */
const OF_EVERY_NODE: ReadonlySet<string> = new Set(['host', 'none'])

const REMEDIES: Readonly<Record<Kind, (name: string) => string>> = {
  secrets: (name) => `docker secret create ${name} FILE`,
  configs: (name) => `docker config create ${name} FILE`,
  networks: (name) => `docker network create --driver overlay ${name}`,
}

/** The secrets, configs and networks that the task types name and the swarm does not have. */
export async function lackingOf(
  engine: EngineApi,
  types: readonly TaskType[],
  signal: AbortSignal,
): Promise<readonly Lack[]> {
  const needs = types.flatMap(({ name, service }) =>
    needsOf(service).map((need) => ({ taskType: name, ...need })),
  )
  const kinds = [...new Set(needs.map(({ kind }) => kind))]
  const known = new Map(
    await Promise.all(
      kinds.map(async (kind) => [kind, await namesIn(engine, kind, signal)] as const),
    ),
  )
  return needs.flatMap(({ taskType, kind, name, path }) => {
    if (known.get(kind)?.has(name) === true) return []
    const message = `the swarm has no ${kind.slice(0, -1)} '${name}'`
    return [{ taskType, path, message, remedy: REMEDIES[kind](name) }]
  })
}

function needsOf(service: Service): readonly Need[] {
  const { compose } = service
  const networks = isJsonObject(compose['networks']) ? Object.keys(compose['networks']) : undefined
  const attached = readable(() => networksOf(service)).flatMap(({ Target: name }, i) =>
    typeof name === 'string' && !OF_EVERY_NODE.has(name) ? [{ name, i }] : [],
  )
  return [
    ...(['secrets', 'configs'] as const).flatMap((kind) =>
      readable(() => grantsOf(service, kind)).map(({ name }, i) => {
        return { kind, name, path: [kind, String(i)] }
      }),
    ),
    ...attached.map(({ name, i }): Need => {
      return { kind: 'networks', name, path: ['networks', networks?.[i] ?? String(i)] }
    }),
  ]
}

/** What cannot be read is refused elsewhere, with the reason. */
function readable<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof Rejected) return []
    throw error
  }
}

async function namesIn(
  engine: EngineApi,
  kind: Kind,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  if (kind !== 'networks') {
    const found = await engine.read<readonly { Spec: { Name: string } }[]>(`/${kind}`, signal)
    return new Set(found.map(({ Spec }) => Spec.Name))
  }
  // A service is refused a network of one node alone.
  const filters = JSON.stringify({ scope: ['swarm'] })
  const found = await engine.read<readonly NetworkView[]>('/networks', signal, { filters })
  return new Set(found.flatMap(({ Name, Id }) => [Name, Id]))
}

interface NetworkView {
  readonly Name: string
  readonly Id: string
}
