import { asksNothing } from '../../../../src/core/compose/unread.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import type { NomadSettings } from './settings.ts'
import { type NomadFacts, type Path, Unhonoured } from './unhonoured.ts'

/** What a key of a service becomes, by the part of the job that it goes into. */
export interface Placed {
  readonly config?: JsonObject
  readonly task?: JsonObject
  readonly group?: JsonObject
  readonly job?: JsonObject
}

/** What goes with a key's value. */
export interface Subject {
  readonly path: Path
  readonly unit: UnitSpec
  readonly settings: NomadSettings
  readonly facts: NomadFacts
}

/** `Unhonoured` for a value that the driver cannot honour. */
export type Translate = (value: Json, subject: Subject) => Placed

/** Every key that a service may have, for one driver: what it becomes. */
export type Translations = Readonly<Record<string, Translate>>

/** A key that the driver has nothing for: whatever it asks is refused. */
export function never(why: string): Translate {
  return (value, { path }) => {
    if (!asksNothing(value)) throw new Unhonoured(path, why)
    return {}
  }
}

/** A key whose value the service has in a form of its own: it is placed with the program. */
export const withProgram: Translate = () => ({})

/** All of it as one: lists one after the other, mappings within each other. */
export function together(parts: readonly Placed[]): Required<Placed> {
  const all = (of: keyof Placed) => parts.map((part) => part[of] ?? {}).reduce(merged, {})
  return { config: all('config'), task: all('task'), group: all('group'), job: all('job') }
}

function merged(a: JsonObject, b: JsonObject): JsonObject {
  const result = new Map(Object.entries(a))
  for (const [key, value] of Object.entries(b)) {
    const before = result.get(key)
    if (Array.isArray(before) && Array.isArray(value)) {
      result.set(key, [...(before as readonly Json[]), ...(value as readonly Json[])])
    } else if (isJsonObject(before) && isJsonObject(value)) result.set(key, merged(before, value))
    else result.set(key, value)
  }
  return Object.fromEntries(result)
}
