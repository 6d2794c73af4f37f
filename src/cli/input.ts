import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { errorMessage, Rejected } from '../core/errors.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'

/** How `--input` is said, for every command that has it. */
export const INPUT_OPTION = {
  type: 'string',
  requiresArg: true,
  describe: 'The input: JSON, @FILE, or - for stdin',
} as const

/**
 * The input that `--input` names: JSON as it stands, `@FILE`, or `-` for stdin. Throws `Rejected`
 * (`invalid-input`) for what cannot be read or is no JSON object.
 */
export async function readInput(
  argument: string,
  stdin: NodeJS.ReadableStream,
): Promise<JsonObject> {
  const [bytes, from] = await source(argument, stdin)
  let value: unknown
  try {
    // Takes a byte order mark away, and no broken characters.
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
    throw invalid(`${from} is no JSON: ${errorMessage(error)}`, error)
  }
  if (!isJsonObject(value)) throw invalid(`${from} is no JSON object: an input is {…}`)
  return value
}

async function source(
  argument: string,
  stdin: NodeJS.ReadableStream,
): Promise<readonly [bytes: Uint8Array, from: string]> {
  if (argument === '-') return [await buffer(stdin), 'what came on stdin']
  if (!argument.startsWith('@')) return [Buffer.from(argument), '--input']
  const file = argument.slice(1)
  try {
    return [await readFile(file), file]
  } catch (error) {
    throw invalid(`--input @${file} cannot be read: ${errorMessage(error)}`, error)
  }
}

function invalid(message: string, cause?: unknown): Rejected {
  return new Rejected('invalid-input', message, cause)
}
