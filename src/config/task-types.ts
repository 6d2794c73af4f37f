import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compileTaskType } from '../core/compose/compile.ts'
import type { Environment } from '../core/compose/interpolate.ts'
import { ConfigError, errorMessage } from '../core/errors.ts'
import type { ConfigIssue } from '../core/errors.ts'
import { inputValidator } from '../core/input-schema.ts'
import type { InputValidator } from '../core/input-schema.ts'
import type { Definition, TaskType } from '../core/task-type.ts'
import { byPlace, readTaskType } from './task-type-file.ts'
import type { TaskTypeFile, TaskTypeOptions } from './task-type-file.ts'
import { placeOf } from './yaml-file.ts'

interface LoadedTaskType {
  readonly type: TaskType
  readonly definition: Definition
  readonly file: string
  /** Every way in which an input breaks the type's schema; empty: it fits. */
  readonly validateInput: InputValidator
}

export interface TaskTypes {
  readonly types: ReadonlyMap<string, LoadedTaskType>
}

/**
 * Every task type of a folder: its `*.yml` and `*.yaml` files, hidden ones left out, by name. Throws
 * `ConfigError` with all mistakes of all files. A folder that is empty has no types; one that is not
 * there is a mistake.
 */
export async function loadTaskTypes(
  folder: string,
  env: Environment,
  options: TaskTypeOptions = { imageRequired: false },
): Promise<TaskTypes> {
  const files = await Promise.all(
    (await namesIn(folder)).map(async (name) => {
      const path = join(folder, name)
      return { path, ...readTaskType(path, await textOf(path), env, options) }
    }),
  )
  const issues = [
    ...files.flatMap((file) => file.issues),
    ...doubles(files, 'name', (name) => `the task type \`${name}\``),
    ...doubles(files, 'command', (name) => `the command \`${name}\``),
  ]
  if (issues.length > 0) throw new ConfigError(issues.sort(byPlace))
  const types = files.flatMap(({ path, definition }) =>
    definition === undefined ? [] : [load(definition, path, env)],
  )
  return { types: new Map(types.map((loaded) => [loaded.type.name, loaded])) }
}

function load(definition: Definition, file: string, env: Environment): LoadedTaskType {
  const type = compileTaskType(definition, env)
  return { type, definition, file, validateInput: inputValidator(type.input) }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder)
    return entries.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort()
  } catch (error) {
    const message = `the folder of task types cannot be read: ${errorMessage(error)}`
    throw new ConfigError([{ file: folder, message }])
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new ConfigError([{ file, message: `cannot be read: ${errorMessage(error)}` }])
  }
}

/** What two files both claim, said at the second and naming the first. */
function doubles(
  files: readonly TaskTypeFile[],
  key: 'name' | 'command',
  words: (value: string) => string,
): ConfigIssue[] {
  const first = new Map<string, ConfigIssue>()
  return files.flatMap((file) => {
    const claim = file[key]
    if (claim === undefined) return []
    const known = first.get(claim.value)
    if (known === undefined) {
      first.set(claim.value, claim.place)
      return []
    }
    return [
      {
        ...claim.place,
        message: `${words(claim.value)} is taken: ${placeOf(known)} has it already`,
      },
    ]
  })
}
