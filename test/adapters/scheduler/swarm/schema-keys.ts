import { atPointer, isJsonObject } from '../../../../src/core/json.ts'
import schema from '../../../../schema/task-type.schema.json' with { type: 'json' }

/** Every key that the schema lets a service have, those of `deploy` as `deploy.key`. */
export function serviceSchemaKeys(): readonly string[] {
  const service = '/properties/services/additionalProperties/properties'
  const keysAt = (pointer: string): string[] => {
    const found = atPointer(schema, pointer)
    if (!isJsonObject(found)) throw new Error(`the schema has nothing at ${pointer}`)
    return Object.keys(found)
  }
  return [
    ...keysAt(service).filter((key) => key !== 'deploy' && key !== 'x-task'),
    ...keysAt(`${service}/deploy/properties`).map((key) => `deploy.${key}`),
  ]
}
