import type { Environment } from '../core/compose/interpolate.ts'
import { Rejected } from '../core/errors.ts'
import { atPointer, type JsonObject } from '../core/json.ts'
import { asText, type TaskType } from '../core/task-type.ts'
import { unitName, unitSpecFor } from '../engine/unit-spec.ts'
import type { Definitions } from './definitions.ts'
import { mistakeLine } from './http/refused.ts'
import { type Masked, renderMasked } from './masked-variables.ts'

/**
 * What the scheduler would be given for the first attempt of a task with this input; without one,
 * nothing comes from it. Throws `Rejected` for an unknown type, and (`invalid-input`) for an input that
 * does not fit.
 */
export function renderTask(
  { folder, scheduler, types }: Definitions,
  name: string,
  input: JsonObject | undefined,
  env: Environment,
): Masked {
  const loaded = types.get(name)
  if (loaded === undefined) {
    const known = [...types.keys()].join(', ') || 'none'
    const message = `there is no task type ${name} in ${folder}, which has: ${known}`
    throw new Rejected('unknown-type', message)
  }
  const problems = input === undefined ? [] : loaded.validateInput(input)
  if (problems.length > 0) throw misfit(name, problems)
  return renderMasked(loaded.definition, env, (type) =>
    scheduler.render(sampleUnit(type, input ?? {})),
  )
}

/** The first attempt of a task that nobody has asked for. */
function sampleUnit(type: TaskType, input: JsonObject) {
  const id = type.idPointer === undefined ? undefined : atPointer(input, type.idPointer)
  const uid = 'sample'
  const task = { id: `${type.name}/${id === undefined ? 'ID' : asText(id)}`, uid, type: type.name }
  const attempt = { number: 1, run: 1, unit: unitName('sample', task, 1) }
  return unitSpecFor('sample', type, { ...task, input }, attempt)
}

function misfit(
  type: string,
  problems: readonly { readonly pointer: string; readonly message: string }[],
): Rejected {
  const lines = problems.map(({ pointer, message }) => mistakeLine(pointer, message))
  return new Rejected('invalid-input', [`the input does not fit ${type}:`, ...lines].join('\n'))
}
