import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Parser } from '@asyncapi/parser'
import { parse } from 'yaml'
import { temporaryFolder } from '../support/store.ts'
import { runCli } from './run-cli.ts'

const ENCODE = `
services:
  encode:
    command: [sh, -c, 'true']
    x-task:
      command: media/encode
      input: { type: object, required: [id], properties: { id: { type: string } } }
      events: { succeeded: media/encoded }
`

describe('the commands for operators', function () {
  this.timeout(60_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let config: string
  beforeEach(async () => {
    folder = await temporaryFolder()
    config = join(folder.path, 'longhaul.yml')
    await mkdir(join(folder.path, 'tasks'))
    await writeFile(join(folder.path, 'tasks', 'encode.yml'), ENCODE)
    await configure('')
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  const configure = (text: string) => writeFile(config, `data: ./data\n${text}\n`)
  const cli = (...args: string[]) => runCli([...args, '--config', config])
  const database = () => new DatabaseSync(join(folder.path, 'data', 'longhaul.db'))
  /** As a release would leave it that has this version, and lets those since `oldest` in. */
  const asOf = (version: number, oldest: number) => {
    using store = database()
    store.exec(`DELETE FROM migrations WHERE version > 1;
      UPDATE migrations SET version = ${version};
      UPDATE remembered SET value = '${oldest}' WHERE name = 'schema.oldest';
      PRAGMA wal_checkpoint(TRUNCATE)`)
  }

  describe('asyncapi', () => {
    it('prints a document of this configuration, as JSON or YAML', async () => {
      const { code, stdout, stderr } = await cli('asyncapi')
      assert.deepEqual([code, stderr], [0, ''])
      const document = JSON.parse(stdout) as { channels: Record<string, { address: string }> }
      const addresses = Object.values(document.channels).map(({ address }) => address)
      assert.ok(addresses.includes('media/encode') && addresses.includes('media/encoded'))
      assert.ok(!stdout.includes('amqp'), 'the bus is embedded')
      const yaml = await cli('asyncapi', '--no-json')
      assert.deepEqual(parse(yaml.stdout), document)
      const diagnostics = await new Parser().validate(yaml.stdout)
      assert.deepEqual(
        diagnostics.filter(({ severity }) => severity.valueOf() === 0),
        [],
      )
    })

    it('names the broker, and never who goes there', async () => {
      await configure('bus: { kind: rabbitmq, url: "amqps://somebody@rabbit:5671/media%2Fx" }')
      const { code, stdout } = await cli('asyncapi')
      assert.equal(code, 0)
      const { servers, channels } = JSON.parse(stdout) as {
        servers: Record<string, { host: string; protocol: string; pathname: string }>
        channels: Record<string, { bindings: { amqp: { exchange: { vhost: string } } } }>
      }
      assert.equal(servers['rabbitmq']?.host, 'rabbit:5671')
      assert.equal(servers['rabbitmq'].protocol, 'amqps')
      assert.equal(channels['media.encode']?.bindings.amqp.exchange.vhost, 'media/x')
      assert.ok(!stdout.includes('somebody'))
    })
  })

  describe('topology', () => {
    it('has nothing to declare for the embedded bus', async () => {
      const { code, stdout, stderr } = await cli('topology')
      assert.deepEqual([code, stdout], [0, ''])
      assert.match(stderr, /embedded/)
      const json = await cli('topology', '--json')
      assert.deepEqual(JSON.parse(json.stdout), { exchanges: [], queues: [], bindings: [] })
    })

    it('says that there is no broker, and exits 69', async () => {
      await configure('bus: { kind: rabbitmq, url: "amqp://127.0.0.1:1" }')
      const { code, stdout, stderr } = await cli('topology')
      assert.deepEqual([code, stdout], [69, ''])
      assert.match(stderr, /RabbitMQ does not answer: .*ECONNREFUSED/)
    })

    it('exits 78 for a bad configuration', async () => {
      await configure('bus: { kind: rabbitmq }')
      const { code, stderr } = await cli('topology')
      assert.equal(code, 78)
      assert.match(stderr, /longhaul\.yml:2:\d+: .*url/)
    })
  })

  describe('migrate', () => {
    it('makes the schema, and finds nothing to do the next time', async () => {
      const { code, stdout, stderr } = await cli('migrate')
      assert.deepEqual([code, stderr], [0, ''])
      assert.match(stdout, /^The schema is made, with version \d+\n$/)
      const again = await cli('migrate', '--json')
      const { from, to } = JSON.parse(again.stdout) as { from: number; to: number }
      assert.ok(from === to && to > 0)
      assert.match((await cli('migrate')).stdout, /nothing to do/)
      assert.deepEqual(await readdir(join(folder.path, 'data')), ['longhaul.db'])
    })

    it('leaves a schema alone that a newer release needs as it is, and exits 78', async () => {
      await cli('migrate')
      asOf(999, 999)
      const { code, stderr } = await cli('migrate')
      assert.equal(code, 78)
      assert.match(stderr, /newer release.*version 999/)
    })
  })

  describe('a daemon that may not change the schema', () => {
    it('refuses to start on an older one and says what to do, and starts after it', async () => {
      await configure('store: { kind: sqlite, migrate: false }\nhttp: { listen: "127.0.0.1:0" }')
      const { code, stderr } = await cli('run')
      assert.equal(code, 78)
      assert.match(stderr, /longhaul\.yml: store: .*version 0.*run `longhaul migrate`/)
      assert.match((await cli('check')).stdout, /note {2}.*no daemon starts.*longhaul migrate/)
      assert.equal((await cli('migrate')).code, 0)
      assert.match((await cli('check')).stdout, /^ok .*\nok {2}encode/)
    })
  })

  describe('check', () => {
    it('says nothing of a store that is not there yet, or up to date', async () => {
      const before = JSON.parse((await cli('check', '--json')).stdout) as { store: object }
      assert.deepEqual(before.store, { kind: 'sqlite', schema: 'none' })
      await cli('migrate')
      const after = JSON.parse((await cli('check', '--json')).stdout) as {
        store: { schema: string }
      }
      assert.equal(after.store.schema, 'current')
    })

    it('notes that the schema is newer and still runs, or older', async () => {
      await cli('migrate')
      asOf(999, 1)
      const newer = await cli('check')
      assert.equal(newer.code, 0)
      assert.match(newer.stdout, /note {2}the store’s schema has version 999.*newer.*runs on it/)
      using store = database()
      store.exec('DELETE FROM migrations; PRAGMA wal_checkpoint(TRUNCATE)')
      const older = await cli('check')
      assert.equal(older.code, 0)
      assert.match(older.stdout, /note {2}the store has no schema yet: the daemon brings it/)
    })

    it('exits 78 where the schema is newer than this release can live with', async () => {
      await cli('migrate')
      asOf(999, 999)
      const { code, stderr } = await cli('check')
      assert.equal(code, 78)
      assert.match(stderr, /longhaul\.yml: store: .*version 999.*newer release/)
      const json = await cli('check', '--json')
      assert.equal(json.code, 78)
      assert.equal((JSON.parse(json.stdout) as { ok: boolean }).ok, false)
    })

    it('warns of a database that does not answer or whose password is not here, and exits 0', async () => {
      await configure('store: { kind: postgres, url: "postgres://longhaul@127.0.0.1:1/longhaul" }')
      const away = await cli('check')
      assert.equal(away.code, 0)
      assert.match(
        away.stdout,
        /warning {2}the store’s schema could not be looked at: .*ECONNREFUSED/,
      )
      await configure(
        'store: { kind: postgres, url: "postgres://l@127.0.0.1:1/l", password_file: ./none }',
      )
      const secret = await cli('check')
      assert.equal(secret.code, 0)
      assert.match(secret.stdout, /warning {2}.*none is not here/)
    })

    it('names the mistakes of the daemon’s file and of the task types together', async () => {
      await configure('tasks: ./tasks\nlimits: { in_flight: none }')
      await writeFile(join(folder.path, 'tasks', 'bad.yml'), 'services: { bad: { comand: x } }\n')
      const { code, stdout, stderr } = await cli('check')
      assert.deepEqual([code, stdout], [78, ''])
      assert.match(stderr, /^\S+longhaul\.yml:3:\d+: /)
      assert.match(stderr, /\n\S+bad\.yml:1:\d+: /)
    })

    it('says nothing of a folder of task types that the file may well name, but for a mistake', async () => {
      await configure('task: ./types')
      const { stderr } = await cli('check')
      assert.match(stderr, /^\S+longhaul\.yml:2:1: [^\n]*`task`[^\n]*\n$/)
    })
  })
})
