import assert from 'node:assert/strict'
import { join } from 'node:path'
import { schedulerExamination } from '../../src/app/examine-scheduler.ts'
import { loadDaemonConfig } from '../../src/config/daemon-config.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { folderOf } from '../config/files.ts'

describe('a Nomad that the environment names', () => {
  it('is a mistake of the configuration where it cannot be one, named at its file', async () => {
    await using folder = await folderOf({ 'longhaul.yml': 'scheduler: { kind: nomad }' })
    const file = join(folder.path, 'longhaul.yml')
    const config = await loadDaemonConfig(file)
    for (const env of [{ NOMAD_ADDR: 'nomad:4646' }, { NOMAD_NAMESPACE: '*' }]) {
      assert.throws(
        () => schedulerExamination(config, env),
        (error) => {
          assert.ok(error instanceof ConfigError)
          assert.equal(error.issues[0]?.file, file)
          assert.match(error.message, /scheduler: Nomad/)
          return true
        },
      )
    }
  })
})
