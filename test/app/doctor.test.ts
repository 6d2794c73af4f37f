import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { examine } from '../../src/app/doctor.ts'
import { clockFinding, type Finding } from '../../src/app/doctor-finding.ts'
import { migrateStore } from '../../src/app/store-schema.ts'
import { loadDaemonConfig } from '../../src/config/daemon-config.ts'
import { freshDatabase, queryOnce, type Database } from '../support/postgres.ts'
import { openAdmin, uniqueName, useBroker } from '../support/rabbitmq.ts'
import { temporaryFolder } from '../support/store.ts'

describe('what doctor finds', function () {
  this.timeout(60_000)
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeEach(async () => {
    folder = await temporaryFolder()
    await mkdir(join(folder.path, 'tasks'))
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  const look = async (text: string) => {
    const file = join(folder.path, 'longhaul.yml')
    await writeFile(file, `tasks: ./tasks\ndata: ./data\n${text}`)
    return examine(await loadDaemonConfig(file), [], { LONGHAUL_LOG: 'silent' })
  }
  const named = (findings: readonly Finding[], part: string, name: string) =>
    findings.find((finding) => finding.part === part && finding.name === name)
  const bad = (findings: readonly Finding[]) => findings.filter(({ ok }) => !ok)

  it('is nothing bad before the first start, and looking makes nothing', async () => {
    const findings = await look('')
    assert.deepEqual(bad(findings), [])
    assert.deepEqual(
      findings.map(({ part }) => part),
      ['scheduler', 'bus', 'store', 'store'],
    )
    const file = join(folder.path, 'longhaul.yml')
    await migrateStore(await loadDaemonConfig(file), {}).catch(() => undefined)
    const after = await look('')
    assert.deepEqual(bad(after), [])
    assert.match(named(after, 'store', 'schema')?.message ?? '', /this release's own/)
    assert.match(named(after, 'store', 'sqlite')?.message ?? '', /^SQLite 3.*longhaul\.db$/)
  })

  it('is a file in the place of the data folder, with a remedy on each line', async () => {
    await writeFile(join(folder.path, 'data'), '')
    const found = bad(await look(''))
    assert.deepEqual(
      found.map(({ part, name }) => `${part} ${name}`),
      ['scheduler folder', 'store sqlite', 'store schema'],
    )
    for (const { remedy = '' } of found) assert.notEqual(remedy, '')
  })

  it('is a secret that is not here', async () => {
    const broker = 'bus: { kind: rabbitmq, url: "amqp://me@127.0.0.1", password_file: ./none }\n'
    const [finding, ...rest] = bad(await look(broker))
    assert.deepEqual(rest, [])
    assert.match(finding?.message ?? '', /bus\.password_file/)
  })

  it('is a clock that is seconds from ours, and not what asking took', async () => {
    const at = (ms: number) =>
      clockFinding('store', () => Promise.resolve(new Date(Date.now() + ms)))
    assert.equal((await at(0)).ok, true)
    assert.equal((await at(1_000)).ok, true)
    const ahead = await at(10_000)
    assert.deepEqual([ahead.ok, ahead.message], [false, '10.0 s ahead of ours'])
    const behind = await at(-10_000)
    assert.match(behind.message, /^(9\.\d|10\.\d) s behind ours$/)
    assert.match(behind.remedy ?? '', /NTP/)
  })

  describe('of RabbitMQ', () => {
    const broker = useBroker()
    const at = (url: string, queue: string) =>
      look(`bus: { kind: rabbitmq, url: "${url}", queue: ${queue} }\n`)

    it('is its version, and the queue as it is', async () => {
      const queue = uniqueName('doctor')
      const { url } = broker()
      const before = await at(url, queue)
      assert.deepEqual(bad(before), [])
      assert.match(named(before, 'bus', 'rabbitmq')?.message ?? '', /^RabbitMQ \d+\.\d+/)
      assert.match(named(before, 'bus', 'queue')?.message ?? '', /no queue .* yet/)
      await using admin = openAdmin(url)
      assert.equal(await admin.exists(queue), false)
      await admin.connection.queueDeclare({ queue, durable: true })
      try {
        const after = await at(url, queue)
        assert.match(named(after, 'bus', 'queue')?.message ?? '', /0 messages and has 0 consumers/)
      } finally {
        await admin.connection.queueDelete({ queue })
      }
    })

    it('is a login that is refused, without the password', async () => {
      const url = new URL(broker().url)
      url.username = 'nobody'
      url.password = 'hush-hush'
      const [finding] = bad(await at(url.href, 'longhaul'))
      assert.match(finding?.remedy ?? '', /bus\.url/)
      assert.doesNotMatch(JSON.stringify(finding), /hush/)
    })

    it('is something there that is no broker, or nothing', async () => {
      const server = createServer((socket) =>
        socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      const other = bad(await at(`amqp://127.0.0.1:${port}`, 'longhaul'))
      server.close()
      await once(server, 'close')
      assert.match(other[0]?.message ?? '', /does not speak AMQP/)
      const nothing = bad(await at(`amqp://127.0.0.1:${port}`, 'longhaul'))
      assert.match(nothing[0]?.message ?? '', /does not answer/)
      assert.notEqual(nothing[0]?.remedy, undefined)
    })
  })

  describe('of Postgres', () => {
    let database: Database
    beforeEach(async function () {
      database = await freshDatabase(this)
    })
    afterEach(() => database[Symbol.asyncDispose]())
    const at = (url: string, more = '') => look(`store: { kind: postgres, url: "${url}"${more} }\n`)

    it('is its version, rights, notifications, clock and schema', async () => {
      const findings = await at(database.url)
      assert.deepEqual(bad(findings), [])
      assert.deepEqual(
        findings.filter(({ part }) => part === 'store').map(({ name }) => name),
        ['postgres', 'permissions', 'notifications', 'clock', 'schema'],
      )
      assert.match(named(findings, 'store', 'postgres')?.message ?? '', /^Postgres \d+/)
      assert.match(named(findings, 'store', 'schema')?.message ?? '', /none yet/)
      const refused = await at(database.url, ', migrate: false')
      assert.equal(named(refused, 'store', 'schema')?.remedy, 'longhaul migrate')
    })

    it('is a user that may not write, and a database that takes no writes', async () => {
      await at(database.url)
      await migrateStore(await loadDaemonConfig(join(folder.path, 'longhaul.yml')), {})
      const role = `doctor_${process.pid}`
      const name = new URL(database.url).pathname.slice(1)
      await queryOnce(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 'p'`)
      try {
        await queryOnce(database.url, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`)
        const url = new URL(database.url)
        url.username = role
        url.password = 'p'
        const rights = named(await at(url.href), 'store', 'permissions')
        assert.equal(rights?.ok, false)
        assert.match(rights.message, /attempts, definitions, events/)
        assert.match(rights.remedy ?? '', /^GRANT/)
        await queryOnce(
          database.url,
          `ALTER ROLE ${role} IN DATABASE "${name}" SET default_transaction_read_only = on`,
        )
        const readOnly = named(await at(url.href), 'store', 'postgres')
        assert.equal(readOnly?.ok, false)
        assert.match(readOnly.message, /takes no writes/)
      } finally {
        await queryOnce(database.url, `DROP OWNED BY ${role}`)
        await queryOnce(database.url, `DROP ROLE ${role}`)
      }
    })

    it('is a server that is not there, and nothing is asked of it again', async () => {
      const found = bad(await at('postgres://me@127.0.0.1:1/x'))
      assert.deepEqual(
        found.map(({ name }) => name),
        ['postgres'],
      )
      assert.match(found[0]?.remedy ?? '', /store\.url/)
    })
  })
})
