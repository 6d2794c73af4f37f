import { readFile } from 'node:fs/promises'
import type { ConfigIssue } from '../core/errors.ts'
import type { Path } from './problem.ts'
import { parseYaml } from './yaml-file.ts'

/** A mistake of a file that was read before, at the place of its value, found only by asking elsewhere. */
export async function issueInFile(file: string, path: Path, message: string): Promise<ConfigIssue> {
  const yaml = parseYaml(file, await readFile(file, 'utf8'))
  return yaml.locate({ path, at: 'value', message })
}
