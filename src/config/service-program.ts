import { saysNothing, shellWords } from '../core/compose/shell-words.ts'
import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { atPath, keyProblem, valueProblem } from './problem.ts'
import type { Path, Problem } from './problem.ts'

/** Whether the service names something to run, and what only a whole line can be wrong with. */
export function programProblems(document: Json, path: Path, imageRequired: boolean): Problem[] {
  const service = atPath(document, path)
  if (!isJsonObject(service)) return []
  const problems = (['command', 'entrypoint'] as const).flatMap((key) => {
    const line = service[key]
    if (typeof line !== 'string' || shellWords(line) !== undefined) return []
    return [valueProblem([...path, key], 'a quote is not closed')]
  })
  if (isEmpty(service['entrypoint']) && isEmpty(service['command'] ?? [])) {
    problems.push(
      keyProblem(
        [...path, 'entrypoint'],
        "an empty one takes the image's away, and its command with it: write `command`",
      ),
    )
  }
  if ((service['image'] ?? '') === '' && imageRequired) {
    problems.push(keyProblem(path, '`image` is missing: the configured scheduler runs images'))
  } else if (
    !isGiven(service['image']) &&
    !isGiven(service['command']) &&
    !isGiven(service['entrypoint'])
  ) {
    problems.push(keyProblem(path, 'there is nothing to run: write `image`, `command` or both'))
  }
  return problems
}

export function isGiven(value: Json | undefined): boolean {
  return value !== undefined && value !== null
}

/** A line that is written and names nothing; what is no line is left to the schema. */
function isEmpty(line: Json | undefined): boolean {
  const words = typeof line === 'string' ? shellWords(line) : line
  return Array.isArray(words) && saysNothing(words as readonly string[])
}
