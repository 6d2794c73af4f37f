import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../core/json.ts'
import { messagesSchema } from '../core/message-schema.ts'
import { daemonSchema } from './daemon-schema.ts'
import { editorSchema } from './editor-schema.ts'
import { reference } from './reference.ts'
import { fileSchema } from './service-schema.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What stands above it in the reference is written by hand. */
const MARK = '<!-- Below: written by `node src/config/generate.ts` from the schemas. -->'

/** The files that are made from the schemas, by their path in the repository, as they should be. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const page = await readFile(join(ROOT, 'docs/task-types.md'), 'utf8')
  const [byHand = ''] = page.split(MARK, 1)
  return new Map([
    [
      'schema/task-type.schema.json',
      json(editorSchema(fileSchema, { title: 'A task type of Longhaul', variables: true })),
    ],
    [
      'schema/longhaul.schema.json',
      json(editorSchema(daemonSchema, { title: 'The daemon of Longhaul', variables: false })),
    ],
    ['schema/messages.schema.json', json(messagesSchema())],
    ['docs/task-types.md', `${byHand}${MARK}\n\n${reference(fileSchema, 'The file')}\n`],
  ])
}

/** Laid out as the formatter would have it: lists of plain values on one line where they fit. */
function json(value: Json): string {
  const spread = `${JSON.stringify(value, undefined, 2)}\n`
  return spread.replaceAll(/^(.*)\[\n([^[\]{}]*?)\n *\](,?)$/gm, (whole, head, items, comma) => {
    const line = `${String(head)}[${String(items).trim().replaceAll(/\n */g, ' ')}]${String(comma)}`
    return line.length <= 100 ? line : whole
  })
}

if (import.meta.main) {
  for (const [path, text] of await generatedFiles()) await writeFile(join(ROOT, path), text)
}
