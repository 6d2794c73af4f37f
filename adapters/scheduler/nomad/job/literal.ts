import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { type Path, Unhonoured } from './unhonoured.ts'

/**
 * Nomad fills in variables on the node, by two rules, and has no escape that holds for both: in
 * environment values it replaces each `${name}` that it knows (helper/args), a driver's configuration is
 * HCL with expressions and functions (helper/pluginutils/hclutils). A task's values are data: what would
 * begin a variable is written as a variable of the task's own that holds a dollar, and a percent sign.
 * What has been filled in is not looked at again.
 */
export const LITERAL_META = { longhaul_dollar: '$', longhaul_percent: '%' } as const

const DOLLAR = '${NOMAD_META_longhaul_dollar}'
const PERCENT = '${NOMAD_META_longhaul_percent}'

/** The names that Nomad looks up in environment values. */
const VARIABLE = /\$(?=\{[a-zA-Z0-9_\-.]+\})/g

export function environmentLiteral(value: string): string {
  return value.replaceAll(VARIABLE, DOLLAR)
}

/** Whether an environment value would be filled in, were it not escaped. */
export function looksFilledIn(value: string): boolean {
  return value.search(VARIABLE) !== -1
}

/** Every string of a driver's configuration, its keys too, as HCL that evaluates to it. */
export function configurationLiteral(config: JsonObject, path: Path): JsonObject {
  const convert = (value: Json): Json => {
    if (typeof value === 'string') return hclLiteral(value, path)
    if (Array.isArray(value)) return value.map((item: Json) => convert(item))
    if (!isJsonObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [hclLiteral(key, path), convert(member)]),
    )
  }
  return convert(config) as JsonObject
}

function hclLiteral(text: string, path: Path): string {
  // cty, the values of HCL, are brought into this form: a file's name would then be another.
  if (text !== text.normalize('NFC')) {
    const remedy = 'hand it over in the environment, which is taken as it is'
    throw new Unhonoured(
      path,
      `"${text}" is not in Unicode's form NFC, which Nomad needs: ${remedy}`,
    )
  }
  if (text.includes('\0')) throw new Unhonoured(path, 'a value holds a NUL byte')
  // Only what opens a template is special; then every sign, for `$${` is an escape of HCL's own.
  if (!/[$%]\{/.test(text)) return text
  return text.replaceAll(/[$%]/g, (sign) => (sign === '$' ? DOLLAR : PERCENT))
}

/** Whether anything of it needs `LITERAL_META`. */
export function needsLiteralMeta(...parts: readonly Json[]): boolean {
  return parts.some((part) => {
    const text = JSON.stringify(part)
    return text.includes(DOLLAR) || text.includes(PERCENT)
  })
}
