import assert from 'node:assert/strict'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { messagesSchema } from '../../src/core/message-schema.ts'
import { EVENT_BODIES } from '../../src/core/messages.ts'
import { runCli } from '../cli/run-cli.ts'
import { Installation, shell, waitsFor } from '../support/daemon.ts'
import { createDatabase, type Database, freshDatabase } from '../support/postgres.ts'
import { type Admin, openAdmin, uniqueName, useBroker } from '../support/rabbitmq.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

const cli = (installation: Installation, ...args: string[]) =>
  runCli([...args, '--config', installation.config])

describe('the document of longhaul asyncapi', function () {
  this.timeout(60_000)

  it('describes every event that a daemon sends, and the commands that it takes', async () => {
    const input = {
      type: 'object',
      required: ['id'],
      additionalProperties: false,
      properties: { id: { type: 'string' } },
    }
    const kinds = ['accepted', 'started', 'exited', 'retrying', 'succeeded', 'failed', 'cancelled']
    const events = Object.fromEntries(kinds.map((kind) => [kind, `own/${kind}`]))
    const own = { input, id: '/id', events }
    const retry = { max_attempts: 2, backoff: 'none' }
    await using daemon = await Installation.make({
      good: { command: shell('echo done'), 'x-task': { ...own, command: 'own/good' } },
      bad: { command: shell('echo no >&2; exit 3'), 'x-task': { ...own, retry } },
      held: { command: waitsFor('gate'), 'x-task': own },
    })
    assert.equal(await daemon.start(), 'started')
    await using reader = await EventReader.open(daemon)
    const command = { $name: 'own/good', $version: 1, id: '1' }
    await daemon.send(command)
    await daemon.send({ $name: 'own/good', $version: 1, id: 1 })
    await daemon.ended('good/1')
    await daemon.send(command)
    await daemon.run('bad', '1', { input: { id: '1' } })
    await daemon.run('held', '1', { input: { id: '1' } })
    await daemon.inState('held/1', 'running')
    await daemon.send({ $name: 'longhaul/cancel-task', $version: 1, taskId: 'held/1', by: 'me' })
    await Promise.all([daemon.ended('bad/1'), daemon.ended('held/1')])
    const expected = [...Object.keys(EVENT_BODIES), ...Object.values(events)]
    const unseen = () => expected.filter((name) => !reader.names.includes(name))
    await until(() => unseen().length === 0, 'every kind of event has come', 20_000)
    await until(
      () => reader.events.some(({ message }) => 'repeatOf' in message),
      'the repeat is answered',
      20_000,
    )

    const { code, stdout } = await cli(daemon, 'asyncapi')
    assert.equal(code, 0)
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    addFormats.default(ajv)
    ajv.addSchema(JSON.parse(stdout) as object, 'document')
    const published = ajv.compile(messagesSchema())
    const faults = (message: Readonly<Record<string, unknown>>) => {
      const key = String(message['$name']).replace('/', '.')
      const validate = ajv.compile({ $ref: `document#/components/messages/${key}/payload` })
      return validate(message) ? [] : validate.errors
    }
    for (const { name, message } of reader.events) {
      assert.deepEqual(faults(message), [], JSON.stringify(message))
      if (name.startsWith('longhaul/')) assert.ok(published(message), JSON.stringify(message))
    }
    assert.deepEqual(faults(command), [])
    assert.notDeepEqual(faults({ ...command, more: 1 }), [])
  })
})

describe('the SQLite store of a daemon that runs', function () {
  this.timeout(60_000)

  it('is looked at by longhaul check, and left alone by longhaul migrate', async () => {
    await using daemon = await Installation.make({
      work: { command: shell('echo done'), 'x-task': {} },
    })
    assert.equal(await daemon.start(), 'started')
    const check = await cli(daemon, 'check', '--json')
    assert.equal(check.code, 0)
    const { store } = JSON.parse(check.stdout) as { store: { schema: string } }
    assert.equal(store.schema, 'current')
    const { code, stderr } = await cli(daemon, 'migrate')
    assert.equal(code, 69)
    assert.match(stderr, /another daemon holds the data folder/)
    await daemon.run('work', '1')
    assert.equal((await daemon.ended('work/1')).outcome?.state, 'succeeded')
  })
})

describe('RabbitMQ before the first start', function () {
  this.timeout(120_000)
  const broker = useBroker({ node: true })
  let admin: Admin
  let names: { queue: string; command: string; event: string; user: string }
  before(() => {
    admin = openAdmin(broker().url)
  })
  after(() => admin[Symbol.asyncDispose]())
  beforeEach(() => {
    const [queue, command, event] = ['ops', 'ops/work', 'ops/worked'].map(uniqueName)
    names = { queue: queue!, command: command!, event: event!, user: uniqueName('restricted') }
  })
  afterEach(() => admin.removeService(names.queue, [names.command, names.event]))

  const make = (differs: object = {}) =>
    Installation.make(
      {
        work: {
          command: shell('echo done'),
          'x-task': { command: names.command, id: '/id', events: { succeeded: names.event } },
        },
      },
      { bus: { kind: 'rabbitmq', url: broker().url, queue: names.queue, ...differs } },
    )
  const urlOf = (user: string, password: string) => {
    const url = new URL(broker().url)
    Object.assign(url, { username: user, password })
    return url.href
  }

  it('has everything declared by longhaul topology, as often as one likes', async () => {
    await using installation = await make()
    const { code, stdout, stderr } = await cli(installation, 'topology')
    assert.deepEqual([code, stderr], [0, ''])
    const rows = stdout.trimEnd().split('\n')
    assert.ok(rows.includes(`exchange\t${names.command}\tfanout, durable`), stdout)
    assert.ok(rows.includes(`exchange\t${names.event}\tfanout, durable`))
    assert.ok(rows.includes(`binding\t${names.queue}\tfrom ${names.command}`))
    assert.ok(rows.some((row) => row.startsWith(`queue\t${names.queue}-dead-letter\tquorum`)))
    assert.ok(await admin.exists(names.queue))
    const json = await cli(installation, 'topology', '--json')
    assert.equal(json.code, 0)
    const declared = JSON.parse(json.stdout) as Record<string, readonly unknown[]>
    const count = ['exchanges', 'queues', 'bindings'].reduce(
      (sum, key) => sum + (declared[key]?.length ?? 0),
      0,
    )
    assert.equal(count, rows.length)
  })

  it('has a queue of other arguments told with what to do, and a wrong password without it', async () => {
    await using installation = await make()
    assert.equal((await cli(installation, 'topology')).code, 0)
    await using other = await make({ queue_type: 'classic' })
    const refused = await cli(other, 'topology')
    assert.equal(refused.code, 78)
    assert.match(refused.stderr, /inequivalent arg 'x-queue-type'.*bus\.queue_type/)
    await using stranger = await make({ url: urlOf('guest', 'not-the-password') })
    const { code, stderr } = await cli(stranger, 'topology')
    assert.equal(code, 78)
    assert.match(stderr, /RabbitMQ lets nobody in like this: .*bus\.password_file/)
    assert.ok(!stderr.includes('not-the-password'))
  })

  it('lets a daemon whose user may not configure run on what somebody else has declared', async () => {
    const node = broker().node!
    await node.rabbitmqctl('add_user', names.user, 'pass')
    await node.rabbitmqctl('set_permissions', names.user, '', '.*', '.*')
    try {
      await using installation = await make({ url: urlOf(names.user, 'pass') })
      const forbidden = await cli(installation, 'topology')
      assert.equal(forbidden.code, 78)
      assert.match(forbidden.stderr, /ACCESS_REFUSED.*as a user who may configure/)
      await using operator = await make()
      assert.equal((await cli(operator, 'topology')).code, 0)
      assert.equal((await cli(installation, 'topology')).code, 0, 'it is all there')

      const received: unknown[] = []
      const subscriber = admin.connection.createConsumer(
        {
          queue: `${names.queue}-subscriber`,
          queueOptions: { exclusive: true },
          queueBindings: [{ exchange: names.event }],
        },
        ({ body }) => {
          received.push(body)
        },
      )
      try {
        await new Promise((resolve) => subscriber.once('ready', resolve))
        await using publisher = await admin.connection.acquire().then((channel) => ({
          channel,
          [Symbol.asyncDispose]: () => channel.close(),
        }))
        const command = Buffer.from(JSON.stringify({ $name: names.command, id: '1' }))
        // Before there is a daemon: what topology has declared keeps it.
        await publisher.channel.basicPublish({ exchange: names.command }, command)
        assert.equal(await installation.start(), 'started')
        assert.equal((await installation.ended('work/1')).outcome?.state, 'succeeded')
        await until(() => received.length > 0, 'its event is received', 20_000)
        assert.equal((received[0] as { readonly taskId: string }).taskId, 'work/1')
        assert.equal((await installation.fetch('/readyz')).status, 200)
        // Who looks at dead letters takes a queue as the lock, and says so where it may not.
        const letters = await installation.fetch('/v1/dead-letters')
        assert.equal(letters.status, 503)
        assert.match(await letters.text(), /ACCESS_REFUSED.*dead-letter-look/)
        const look = `^${names.queue}-dead-letter-look$`
        await node.rabbitmqctl('set_permissions', names.user, look, '.*', '.*')
        assert.equal((await installation.fetch('/v1/dead-letters')).status, 200)
        assert.equal(await installation.end(), 0)
      } finally {
        await subscriber.close()
      }
    } finally {
      await node.rabbitmqctl('delete_user', names.user)
    }
  })
})

describe('Postgres whose schema a daemon may not change', function () {
  this.timeout(120_000)
  let database: Database
  beforeEach(async function () {
    database = await freshDatabase(this)
  })
  afterEach(() => database[Symbol.asyncDispose]())

  const make = (url: string, differs: object = {}) =>
    Installation.make(
      { work: { command: shell('echo done'), 'x-task': {} } },
      { store: { kind: 'postgres', url, ...differs } },
    )

  it('is brought up to date by longhaul migrate, before which no daemon starts', async () => {
    await using installation = await make(database.url, { migrate: false })
    const { code, said } = await installation.runToEnd()
    assert.equal(code, 78)
    assert.match(said, /store: .*version 0.*run `longhaul migrate`/)
    assert.match((await cli(installation, 'check')).stdout, /note {2}.*no daemon starts on it/)
    const both = await Promise.all([
      cli(installation, 'migrate', '--json'),
      cli(installation, 'migrate', '--json'),
    ])
    const froms = both.map(({ code, stdout }) => {
      assert.equal(code, 0)
      return (JSON.parse(stdout) as { from: number }).from
    })
    assert.ok(froms.includes(0))

    const role = uniqueName('daemon').replaceAll('-', '_')
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'pass';
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`)
    try {
      const url = new URL(database.url)
      Object.assign(url, { username: role, password: 'pass' })
      for (const migrate of [false, true]) {
        await using daemon = await make(url.href, { migrate })
        assert.equal(await daemon.start(), 'started')
        if (migrate) continue
        const check = JSON.parse((await cli(daemon, 'check', '--json')).stdout) as {
          store: { schema: string }
        }
        assert.equal(check.store.schema, 'current')
        await daemon.run('work', '1')
        assert.equal((await daemon.ended('work/1')).outcome?.state, 'succeeded')
      }
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })

  it('is refused with 78 where it is newer than this release, by the daemon and by check', async () => {
    await using installation = await make(database.url)
    assert.equal((await cli(installation, 'migrate')).code, 0)
    await database.query(`INSERT INTO migrations (version, applied_at) VALUES (999, 0);
      UPDATE remembered SET value = '999' WHERE name = 'schema.oldest'`)
    for (const command of ['check', 'migrate', 'run']) {
      const { code, stderr } = await cli(installation, command)
      assert.equal(code, 78, `${command}: ${stderr}`)
      assert.match(stderr, /newer release/)
    }
    await using other = await createDatabase(database.url)
    await using fresh = await make(other.url)
    const empty = await cli(fresh, 'check')
    assert.equal(empty.code, 0)
    assert.match(empty.stdout, /note {2}the store has no schema yet/)
  })

  it('is a mistake of the configuration where it is not there', async () => {
    const url = new URL(database.url)
    url.pathname = '/none'
    await using installation = await make(url.href)
    for (const command of ['check', 'migrate', 'run']) {
      const { code, stderr } = await cli(installation, command)
      assert.equal(code, 78, `${command}: ${stderr}`)
      assert.match(stderr, /longhaul\.yml: store: .*"none" does not exist; see `store\.url`/)
    }
  })
})
