import assert from 'node:assert/strict'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkPermissions } from '../../adapters/scheduler/nomad/check/permissions.ts'
import { nomadApi } from '../../adapters/scheduler/nomad/client/nomad-api.ts'
import { targetOf } from '../../adapters/scheduler/nomad/client/target.ts'
import { nomadScheduler } from '../../adapters/scheduler/nomad/kind.ts'
import { loadDaemonConfig } from '../../src/config/daemon-config.ts'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { FakeNomad } from '../support/fake-nomad/fake-nomad.ts'

const ROOT = join(import.meta.dirname, '../..')
const JOB = 'deploy/longhaul.nomad.hcl'
const DAEMON = 'deploy/nomad/longhaul.yml'

// Nomad itself takes it (`nomad job validate`), which nothing here can ask.
describe(JOB, () => {
  let job: string
  let daemon: string
  before(async () => {
    job = await readFile(join(ROOT, JOB), 'utf8')
    daemon = await readFile(join(ROOT, DAEMON), 'utf8')
  })
  const named = (pattern: RegExp, text: string) =>
    [...text.matchAll(pattern)].map(([, name = '']) => name)

  it('takes files that are there', async () => {
    const files = named(/(?:file|fileset)\("([^"$]+?)\/?(?:\$\{[^"]*)?"/g, job)
    assert(files.length >= 2, files.join())
    for (const file of files) await access(join(ROOT, file))
  })

  it('closes every bracket that it opens', () => {
    const bare = job.replaceAll(/#.*|"(?:[^"\\]|\\.)*"/g, '')
    const count = (sign: string) => bare.split(sign).length
    for (const [open, close] of ['{}', '[]', '()'] as const) {
      assert.equal(count(open!), count(close!), open)
    }
  })

  it('gives the daemon its file and task types, without a mistake for Nomad', async () => {
    const config = await loadDaemonConfig(join(ROOT, DAEMON))
    assert(config.scheduler.kind === 'nomad')
    assert.equal(config.tasks, join(ROOT, 'deploy/nomad/tasks'))
    const { types } = await loadTaskTypes(config.tasks, {}, { imageRequired: true })
    assert(types.size > 0)
    for (const { type } of types.values()) {
      assert.deepEqual(nomadScheduler.refusals?.(type), [], type.name)
    }
  })

  it('puts every secret where the daemon looks for it, and says how it is made', () => {
    const wanted = named(/\/secrets\/(\w+)/g, daemon.replaceAll(/#.*/g, ''))
    const given = named(/"(\w+)"/g, /for_each = \[(.*)\]/.exec(job)?.[1] ?? '')
    assert.deepEqual(wanted.sort(), [...given, 'nomad_token'].sort())
    assert.match(job, /identity \{\s+file = true/)
    const made = named(/ (\w+)=…/g, /nomad var put .*/.exec(job)?.[0] ?? '')
    assert.deepEqual(made.sort(), given.sort())
  })

  it('reaches Nomad by the Task API, of which its target is a socket', () => {
    const address = /NOMAD_ADDR = "(.*)"/.exec(job)?.[1] ?? ''
    const env = { NOMAD_ADDR: address.replace('${NOMAD_SECRETS_DIR}', '/secrets') }
    assert.equal(targetOf({ tls: {} }, env).socketPath, '/secrets/api.sock')
  })

  it('asks for the policy that doctor asks for', async () => {
    await using nomad = await FakeNomad.start({ token: 'secret' })
    await using api = nomadApi(targetOf({ address: nomad.address, tls: {} }, {}))
    const results = await checkPermissions(api, new AbortController().signal)
    const remedy = results.flatMap((result) => result.remedy ?? []).join()
    const rules = (text: string) => [
      /capabilities = \[.*?\]/.exec(text)?.[0],
      ...named(/(node|agent) \{[\s#]+policy = "read"/g, text),
    ]
    assert.equal(rules(remedy).length, 3)
    assert.deepEqual(rules(job), rules(remedy))
  })
})
