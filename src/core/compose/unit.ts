import { atPointer, type JsonObject } from '../json.ts'
import { type Argument, asText, type Service, type TaskType } from '../task-type.ts'

/**
 * The service of a task: the type's, with the environment and the arguments that come from the input.
 * Values are whole strings, never cut up and never seen by a shell; a pointer that finds nothing gives
 * nothing.
 */
export function serviceFor(type: TaskType, input: JsonObject): Service {
  const fromInput = Object.entries(type.inputEnvironment).flatMap(([name, pointer]) => {
    const value = atPointer(input, pointer)
    return value === undefined ? [] : [[name, asText(value)] as const]
  })
  const extra = type.arguments.flatMap((argument) => textOf(argument, input))
  const { command } = type.service
  return {
    ...type.service,
    environment: { ...type.service.environment, ...Object.fromEntries(fromInput) },
    ...((command !== undefined || extra.length > 0) && { command: [...(command ?? []), ...extra] }),
  }
}

function textOf(argument: Argument, input: JsonObject): string[] {
  if (typeof argument === 'string') return [argument]
  const value = atPointer(input, argument.from)
  return value === undefined ? [] : [asText(value)]
}
