import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { WireTask } from '../../src/core/wire.ts'
import { linesOf } from '../support/account.ts'
import { Installation, shell } from '../support/daemon.ts'
import { FakeNomad } from '../support/fake-nomad/fake-nomad.ts'
import { until } from '../support/store.ts'

const LIMIT_MS = 30_000
/** As the watcher pauses: the seventh time is 12 s after the first, when whatever was missing would be lost. */
const TIMES_REFUSED = 7

describe('a daemon whose file names another namespace of a fake Nomad', function () {
  this.timeout(90_000)
  let nomad: FakeNomad
  let daemon: Installation
  let ran: string
  beforeEach(async () => {
    nomad = await FakeNomad.start({ reportMs: 20, namespaces: ['batch'] })
    daemon = await Installation.make({}, { scheduler: { kind: 'nomad', address: nomad.address } })
    ran = join(daemon.folder, 'ran')
    await daemon.writeType('one', {
      command: shell(
        `echo "$LONGHAUL_TASK_ID $LONGHAUL_ATTEMPT" >> "$RAN"; until test -e ${daemon.folder}/go; do sleep 0.02; done`,
      ),
      environment: { RAN: ran },
      'x-task': {
        nomad: { driver: 'raw_exec' },
        retry: { max_attempts: 2, backoff: { initial: '100ms', jitter: 'none' } },
        keep: { failed_unit: '0s' },
      },
    })
    assert.equal(await daemon.start(), 'started')
  })
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    await nomad[Symbol.asyncDispose]()
  })

  const runs = (id: string, attempt: number) =>
    daemon.when(
      id,
      ({ attempts }) => attempts[attempt - 1]?.state === 'running',
      `runs its attempt ${attempt}`,
      LIMIT_MS,
    )
  /** Another daemon takes its place, with the namespace in its file. */
  const restart = async (namespace: string, ...flags: string[]) => {
    await daemon.end()
    const config = parse(await readFile(daemon.config, 'utf8')) as { scheduler: object }
    const scheduler = { ...config.scheduler, namespace }
    await writeFile(daemon.config, stringify({ ...config, scheduler }))
    const from = daemon.log.length
    assert.equal(await daemon.start({}, flags), 'started')
    return { logged: (name: string) => daemon.log.slice(from).filter(({ msg }) => msg === name) }
  }
  const inNamespace = (namespace: string) =>
    [...nomad.state.jobs.values()].filter((job) => job.Namespace === namespace).length
  const reasons = ({ attempts }: WireTask) => attempts.map(({ exit }) => exit?.reason)

  it('loses, starts and ends nothing, says why, and goes on with the old file', async () => {
    await daemon.run('one', '1')
    await runs('one/1', 1)
    await daemon.end()
    const asked = nomad.asked.length
    const { logged } = await restart('batch')
    await daemon.run('one', '2')
    const refused = () => logged('watcher.reconnecting').length >= TIMES_REFUSED
    await until(refused, 'it has tried again and again', LIMIT_MS)

    assert.equal(logged('lead.without-home').length, 1)
    const ready = await daemon.fetch('/readyz')
    assert.equal(ready.status, 503)
    const { checks } = (await ready.json()) as { checks: { name: string; message: string }[] }
    const why = checks.find(({ name }) => name === 'lead')?.message ?? ''
    for (const word of ['nomad global/default', 'nomad global/batch', '1 of them'])
      assert.ok(why.includes(word), why)
    const logs = await daemon.fetch('/v1/tasks/one/1/attempts/1/logs')
    assert.equal(logs.status, 503)
    assert.match(await logs.text(), /the units of this store are at nomad global\/default/)
    const one = await daemon.task('one/1')
    assert.deepEqual([one.state, reasons(one)], ['running', [undefined]])
    const two = await daemon.task('one/2')
    assert.deepEqual([two.state, two.attempts], ['queued', []])
    const changes = nomad.asked.slice(asked).filter((call) => !call.startsWith('GET '))
    assert.deepEqual(changes, [])

    await restart('default')
    await daemon.touch('go')
    for (const id of ['one/1', 'one/2'])
      assert.deepEqual(reasons(await daemon.ended(id, LIMIT_MS)), ['completed'])
    assert.deepEqual(linesOf(ran).sort(), ['one/1 1', 'one/2 1'])
    await until(async () => (await daemon.fetch('/readyz')).status === 200, 'it is ready')
  })

  it('gives up what ran at the old place where it is told to, and runs it here', async () => {
    await daemon.run('one', '1')
    await runs('one/1', 1)
    const { logged } = await restart('batch', '--abandon-units')
    await runs('one/1', 2)
    const [warning] = logged('lead.units-abandoned')
    assert.deepEqual(
      [warning?.level, warning?.['from'], warning?.['to'], warning?.['units']],
      ['warn', 'nomad global/default', 'nomad global/batch', 1],
    )
    assert.equal(inNamespace('batch'), 1)
    await daemon.touch('go')
    assert.deepEqual(reasons(await daemon.ended('one/1', LIMIT_MS)), ['lost', 'completed'])
    assert.deepEqual(linesOf(ran), ['one/1 1', 'one/1 2'])
    const later = await restart('batch')
    await until(async () => (await daemon.fetch('/readyz')).status === 200, 'it is ready')
    assert.deepEqual(later.logged('lead.without-home'), [])
  })

  it('moves there where nothing is left at the old place', async () => {
    await daemon.touch('go')
    await daemon.run('one', '1')
    await daemon.ended('one/1', LIMIT_MS)
    await until(() => inNamespace('default') === 0, 'its job is purged', LIMIT_MS)
    await until(
      async () =>
        (await daemon.fetch('/metrics'))
          .text()
          .then((text) => /longhaul_unreleased_units 0\b/.test(text)),
      'its unit is released',
    )
    const { logged } = await restart('batch')
    await daemon.run('one', '2')
    assert.deepEqual(reasons(await daemon.ended('one/2', LIMIT_MS)), ['completed'])
    assert.deepEqual(
      logged('lead.moved').map(({ from, to }) => [from, to]),
      [['nomad global/default', 'nomad global/batch']],
    )
    assert.ok(nomad.asked.some((call) => call.startsWith('PUT /v1/jobs') && call.includes('batch')))
  })
})
