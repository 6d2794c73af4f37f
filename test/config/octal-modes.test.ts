import assert from 'node:assert/strict'
import { swarmScheduler } from '../../adapters/scheduler/swarm/kind.ts'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { atPointer, type Json } from '../../src/core/json.ts'
import { unitNamed } from '../contract/scheduler-adapter.ts'
import { folderOf, mistakes } from './files.ts'

/** What a swarm is given for a file, and what is said of it. */
async function swarmSees(mode: string, env: Record<string, string> = {}) {
  await using folder = await folderOf({
    't.yml': `services:
  t:
    image: i
    secrets: [{ source: s, mode: ${mode} }]
    configs: [{ source: s, mode: ${mode} }]
    volumes: [{ type: tmpfs, target: /x, tmpfs: { mode: ${mode} } }]
    environment: { mode: 0440 }
    x-task: { input: { properties: { mode: { const: 0440 } } } }
secrets: { s: { external: true } }
configs: { s: { external: true } }
`,
  })
  const { types } = await loadTaskTypes(folder.path, env)
  const { type } = types.get('t') ?? assert.fail()
  const spec = swarmScheduler.render(unitNamed('lh-t', type.service))
  const at = (pointer: string): Json | undefined =>
    atPointer(spec, `/TaskTemplate/ContainerSpec/${pointer}`)
  return {
    modes: [at('Secrets/0/File/Mode'), at('Configs/0/File/Mode'), at('Mounts/0/TmpfsOptions/Mode')],
    type,
    warnings: swarmScheduler.warnings(type).filter((warning) => warning.includes('mode')),
  }
}

describe('the mode of a file', () => {
  for (const [written, mode] of [
    ['0440', 0o440],
    ['0400', 0o400],
    ['0o400', 0o400],
    ['"0440"', 0o440],
    ['"440"', 0o440],
    ['01777', 0o1777],
    ['"${MODE:-0640}"', 0o640],
    ['"${SET}"', 0o600],
    ['0', 0],
  ] as const) {
    it(`is octal as Compose reads it, and nothing is to be warned of: ${written}`, async () => {
      const { modes, warnings } = await swarmSees(written, { SET: '0600' })
      assert.deepEqual(modes, [mode, mode, mode])
      assert.deepEqual(warnings, [])
    })
  }

  it('is a decimal number where it is written as one, which is warned of', async () => {
    const { modes, warnings } = await swarmSees('440')
    assert.deepEqual(modes, [440, 440, 440])
    assert.match(warnings[0] ?? '', /^secrets\[0\]\.mode is 440.*: for 440 in octal write 0440$/)
  })

  it('changes nothing of other values that look like one', async () => {
    const { type } = await swarmSees('0440')
    assert.equal(type.service.environment['mode'], '440')
    assert.deepEqual(type.input, { properties: { mode: { const: 440 } } })
  })

  it('is a mistake at its place where it is no mode', async () => {
    for (const written of ['"rw"', '9999', '0x1ff0', '-1']) {
      await using folder = await folderOf({
        't.yml': `services:
  t:
    image: i
    secrets:
      - source: s
        mode: ${written}
    x-task: {}
secrets: { s: { external: true } }
`,
      })
      const [mistake] = await mistakes(folder.path, () => loadTaskTypes(folder.path, {}))
      assert.match(mistake ?? '', /^t\.yml:6:15: must be .*/, written)
    }
  })
})
