import { compileTaskType } from '../core/compose/compile.ts'
import type { Environment } from '../core/compose/interpolate.ts'
import { Rejected } from '../core/errors.ts'
import type { Definition, TaskType } from '../core/task-type.ts'

/**
 * The definition with `${NAME}` in the place of every variable's value, as they may be secrets; only one
 * of which something is calculated (a duration, a number) is filled in. `masked` names the others.
 */
export function compileMasked(
  definition: Definition,
  env: Environment,
): { readonly type: TaskType; readonly masked: readonly string[] } {
  const used = new Set<string>()
  compileTaskType(
    definition,
    view(env, (name) => void used.add(name)),
  )
  const names = [...used].filter((name) => env[name] !== undefined)
  const masked = names.filter((name) => compiles(definition, withMasks(env, [name])))
  return { type: compileTaskType(definition, withMasks(env, masked)), masked }
}

function withMasks(env: Environment, names: readonly string[]): Environment {
  return { ...env, ...Object.fromEntries(names.map((name) => [name, `\${${name}}`])) }
}

function compiles(definition: Definition, env: Environment): boolean {
  try {
    compileTaskType(definition, env)
    return true
  } catch (error) {
    if (error instanceof Rejected) return false
    throw error
  }
}

function view(env: Environment, seen: (name: string) => void): Environment {
  return new Proxy(env, {
    get: (target, name) => {
      if (typeof name === 'string') seen(name)
      return Reflect.get(target, name) as string | undefined
    },
  })
}
