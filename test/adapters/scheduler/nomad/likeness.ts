import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'

/** An event of the stream, whoever has told it. */
export interface ToldEvent {
  readonly Topic: string
  readonly Type: string
  readonly Key: string
  readonly Payload: JsonObject
}

export interface ToldFrame {
  readonly Index?: number
  readonly Events?: readonly ToldEvent[] | null
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g

/** What objects are called in place of their ids: by their topic, in the order in which they were told of. */
export class Names {
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  learn(frames: readonly ToldFrame[]): this {
    for (const { Topic, Key } of frames.flatMap(({ Events }) => Events ?? [])) {
      if (this.#names.has(Key)) continue
      const count = (this.#counts.get(Topic) ?? 0) + 1
      this.#counts.set(Topic, count)
      this.#names.set(Key, `${Topic} ${count}`)
    }
    return this
  }

  of(id: string): string {
    return this.#names.get(id) ?? 'some id'
  }

  in(text: string): string {
    return text.replaceAll(UUID, (id) => this.of(id))
  }

  /** The text with the ids of these objects that others call them by. */
  translate(text: string, others: Names): string {
    const ids = new Map([...others.#names].map(([id, name]) => [name, id]))
    return text.replaceAll(UUID, (id) => ids.get(this.of(id)) ?? id)
  }
}

/** What is of one machine, one moment or one cluster, by the name of its field. */
const OWN = new Set([
  ...['AllocationTime', 'ComputedClass', 'Drivers', 'EvalIDs', 'HTTPAddr', 'LastMissedHeartbeat'],
  ...['ScoreMetaData', 'StatusUpdatedAt'],
])
const TIMES = /(Time|StartedAt|FinishedAt|UpdatedAt|Deadline|WaitUntil)$/
const SETTINGS = new Set(['ShutdownDelay', 'KillTimeout', 'HealthyDeadline', 'ProgressDeadline'])

/**
 * What two Nomads that do the same say alike: ids by the objects' names, no indexes, no times, nothing of
 * their own nodes. Everything else stays as it is, every key too.
 */
export function likeness(value: Json, names: Names, key = ''): Json {
  if (value === null) return value
  if (OWN.has(key) || isTime(key, value)) return `its own ${key}`
  if (typeof value === 'number') return key.endsWith('Index') && value > 0 ? 'an index' : value
  if (typeof value === 'string') return names.in(value)
  if (Array.isArray(value)) {
    return inOrder((value as readonly Json[]).map((one) => likeness(one, names)))
  }
  if (!isJsonObject(value)) return value
  const members = Object.entries(value).map(([name, member]) => [
    key === 'ClassEligibility' ? 'its own class' : name,
    likeness(member, names, name),
  ])
  return Object.fromEntries(members) as JsonObject
}

function isTime(key: string, value: Json): boolean {
  return TIMES.test(key) && !SETTINGS.has(key) && typeof value !== 'object' && value !== 0
}

/** Lists come in the order of ids, which are drawn by lot. */
function inOrder(items: readonly Json[]): readonly Json[] {
  const idOf = (one: Json): string => {
    const id = isJsonObject(one) ? one['ID'] : undefined
    return typeof id === 'string' ? id : ''
  }
  return items.toSorted((a, b) => idOf(a).localeCompare(idOf(b)))
}
