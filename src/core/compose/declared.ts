import { isJsonObject, type Json } from '../json.ts'
import { text } from './reader.ts'

/** What the top level of a file says of a secret, config, network or volume. */
type Declaration = Json | undefined

/** Its name outside of the file: `name`, in older files that of `external`, or the key itself. */
export function realName(declaration: Declaration, key: string): string {
  if (!isJsonObject(declaration)) return key
  const { name, external } = declaration
  const older = isJsonObject(external) ? external['name'] : undefined
  return text(name ?? older, `${key}.name`) ?? key
}

/** Whether somebody else has made it. */
export function isExternal(declaration: Declaration): boolean {
  if (!isJsonObject(declaration)) return false
  const external = declaration['external'] ?? false
  return external !== false && external !== 'false'
}
