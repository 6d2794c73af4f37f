import { Rejected } from '../errors.ts'
import { isJsonObject, type Json } from '../json.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Fills in variables as Compose does: `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`,
 * `${VAR:?error}`, `${VAR?error}`, `${VAR:+other}`, `${VAR+other}`, with the same inside a default, and
 * `$$` for a dollar. Stricter than Compose in one thing: a variable that is not set and has no default
 * is an error, not an empty string. Throws `Rejected`.
 */
export function interpolate(text: string, env: Environment): string {
  const { value, end } = scan(text, 0, env, false)
  if (end !== text.length) throw invalid(text, end)
  return value
}

/** Every string value of a document; keys stay as they are. */
export function interpolateDeep(value: Json, env: Environment): Json {
  if (typeof value === 'string') return interpolate(value, env)
  if (Array.isArray(value)) return value.map((item: Json) => interpolateDeep(item, env))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, interpolateDeep(member, env)]),
  )
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/

/** Reads from `start` to the end, or, in braces, to the closing one. */
function scan(
  text: string,
  start: number,
  env: Environment,
  braced: boolean,
): { readonly value: string; readonly end: number } {
  let value = ''
  let at = start
  while (at < text.length) {
    const character = text.charAt(at)
    if (braced && character === '}') return { value, end: at }
    if (character !== '$') {
      value += character
      at += 1
    } else if (text.charAt(at + 1) === '$') {
      value += '$'
      at += 2
    } else if (text.charAt(at + 1) === '{') {
      const filled = fillBraced(text, at, env)
      value += filled.value
      at = filled.end
    } else {
      const name = NAME.exec(text.slice(at + 1))?.[0]
      if (name === undefined) throw invalid(text, at)
      value += required(name, env)
      at += 1 + name.length
    }
  }
  if (braced) throw invalid(text, start)
  return { value, end: at }
}

/** `${NAME}` and its forms, from the dollar on. */
function fillBraced(
  text: string,
  dollar: number,
  env: Environment,
): { readonly value: string; readonly end: number } {
  const name = NAME.exec(text.slice(dollar + 2))?.[0]
  if (name === undefined) throw invalid(text, dollar)
  const at = dollar + 2 + name.length
  if (text.charAt(at) === '}') return { value: required(name, env), end: at + 1 }
  const operator = /^:?[-?+]/.exec(text.slice(at))?.[0]
  if (operator === undefined) throw invalid(text, dollar)
  const given = variable(name, env)
  const set = given !== undefined && (given !== '' || !operator.startsWith(':'))
  const action = operator.at(-1)
  // The other branch is only read, as a shell does: what it asks for need not be there.
  const used = action === '+' ? set : !set
  const word = scan(text, at + operator.length, used ? env : ANYTHING, true)
  const end = word.end + 1
  if (action === '+') return { value: used ? word.value : '', end }
  if (set) return { value: given, end }
  if (action === '-') return { value: word.value, end }
  throw new Rejected('variable', `the variable ${name} is not set: ${word.value || 'set it'}`)
}

const ANYTHING: Environment = new Proxy({}, { get: () => '' })

/** Undefined where it is not set: that an environment is an object gives it no `constructor`. */
export function variable(name: string, env: Environment): string | undefined {
  const value: unknown = env[name]
  return typeof value === 'string' ? value : undefined
}

function required(name: string, env: Environment): string {
  const value = variable(name, env)
  if (value !== undefined) return value
  const remedy = `set it for the daemon, give a default (\${${name}:-…}), or write $$ for a dollar`
  throw new Rejected('variable', `the variable ${name} is not set: ${remedy}`)
}

function invalid(text: string, at: number): Rejected {
  const remedy = 'write $$ for a dollar, or ${NAME}'
  return new Rejected('variable', `"${text.slice(at, at + 20)}" is no variable: ${remedy}`)
}
