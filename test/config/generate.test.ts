import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parse } from 'yaml'
import { generatedFiles } from '../../src/config/generate.ts'
import { inputValidator } from '../../src/core/input-schema.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { exampleFile, ROOT } from './files.ts'

const schema = async (name: string) =>
  JSON.parse(await readFile(join(ROOT, 'schema', name), 'utf8')) as JsonObject

describe('what is made from the schemas', () => {
  it('is as the schemas are now (else: node src/config/generate.ts)', async () => {
    for (const [path, text] of await generatedFiles()) {
      assert.equal(await readFile(join(ROOT, path), 'utf8'), text, path)
    }
  })

  it('is a schema without keywords that an editor does not know', async () => {
    for (const name of ['task-type.schema.json', 'longhaul.schema.json', 'messages.schema.json']) {
      new Ajv2020({
        strict: true,
        allowUnionTypes: true,
        strictTypes: false,
        strictRequired: false,
        validateFormats: false,
      }).compile(await schema(name))
    }
  })

  it('has editors accept the shipped files, the example and variables', async () => {
    const taskType = inputValidator(await schema('task-type.schema.json'))
    const shipped = await readFile(join(ROOT, 'config/tasks/compress-file.yml'), 'utf8')
    for (const text of [shipped, await exampleFile()]) assert.deepEqual(taskType(parse(text)), [])
    const variables = `services:
  a:
    image: x
    read_only: \${READ_ONLY:-true}
    x-task: { command: 'x/\${NAME}', retry: { max_attempts: '\${TRIES:-3}' } }
`
    assert.deepEqual(taskType(parse(variables)), [])
    const daemon = inputValidator(await schema('longhaul.schema.json'))
    assert.deepEqual(daemon(parse(await readFile(join(ROOT, 'config/longhaul.yml'), 'utf8'))), [])
  })

  it('has editors mark what the daemon would refuse', async () => {
    const taskType = inputValidator(await schema('task-type.schema.json'))
    const wrong = parse(
      'services: { a: { image: x, ports: [], x-task: { priority: high } } }',
    ) as unknown
    assert.deepEqual(
      taskType(wrong).map(({ pointer }) => pointer),
      ['/services/a', '/services/a/x-task/priority'],
    )
  })
})
