import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  allEnded,
  assertAllHeardInOrder,
  assertNothingLostOrDoubled,
  linesOf,
  logOf,
} from '../support/account.ts'
import {
  Cluster,
  type Program,
  type Replica,
  runProgram,
  startReplica,
} from '../support/cluster.ts'
import { ownServer, type PostgresServer, queryOnce } from '../support/postgres.ts'
import { type Admin, openAdmin, uniqueName, useBroker } from '../support/rabbitmq.ts'
import { until } from '../support/store.ts'

/** Between two commands, which are sent all the while. */
const PAUSE_MS = Number(process.env['FAULT_PAUSE_MS'] ?? 150)
/** How long each fault is held; 15 s is longer than every timeout that it can run into. */
const HOLD_MS = Number(process.env['FAULT_HOLD_MS'] ?? 4_000)
const READ_ONLY_MS = Number(process.env['FAULT_READ_ONLY_MS'] ?? 8_000)
const LEAD_LIMIT_MS = 12_000
const HEARD = [
  'longhaul/task-exited',
  'longhaul/task-succeeded',
  'longhaul/task-failed',
  'e2e/work-done',
]
const QUEUE = uniqueName('several')
const SUBSCRIBER = uniqueName('subscriber')

describe('three daemons on one RabbitMQ and one Postgres, under traffic', function () {
  this.timeout(180_000)
  const broker = useBroker({ node: true })
  const opened = new AsyncDisposableStack()
  let postgres: PostgresServer
  let cluster: Cluster
  let admin: Admin
  let sender: Program
  const node = () => broker().node!

  before(async function () {
    this.timeout(120_000)
    const { url } = broker()
    postgres = opened.use(await ownServer(this))
    admin = opened.use(openAdmin(url))
    opened.defer(() => admin.removeService(SUBSCRIBER, ['e2e/work']))
    opened.defer(() => admin.removeService(QUEUE))
    cluster = opened.use(await Cluster.make(3, { store: postgres.url, broker: url, queue: QUEUE }))
    await cluster.start()
    const { heard, sent } = cluster.files
    const subscriber = runProgram('rabbitmq-subscriber.ts', url, heard, SUBSCRIBER, ...HEARD)
    await opened.use(subscriber).ready()
    sender = opened.use(runProgram('rabbitmq-sender.ts', url, sent, String(PAUSE_MS)))
  })
  after(async function () {
    this.timeout(60_000)
    await opened.disposeAsync()
  })
  afterEach(function () {
    if (this.currentTest?.state === 'failed') process.stderr.write(`${cluster.lastWords}\n`)
  })
  beforeEach(() => goesOn())

  const ended = () =>
    linesOf(cluster.files.heard).filter((line) => /-(succeeded|failed)$/.test(line)).length
  /** Commands are accepted, started, decided, and their ends told. */
  async function goesOn(): Promise<void> {
    const [sent, before] = [linesOf(cluster.files.sent).length, ended()]
    await until(() => linesOf(cluster.files.sent).length > sent + 5, 'more is sent', 60_000)
    await until(() => ended() > before + 5, 'more ends', 60_000)
  }
  /** Does it to the leader, and sees another lead in time. */
  async function anotherLeads(when: (leader: Replica) => unknown): Promise<Replica> {
    const leader = await cluster.leader()
    const { epoch } = cluster
    await when(leader)
    await cluster.nextLeader(epoch, LEAD_LIMIT_MS)
    assert.notEqual((await cluster.leader()).name, leader.name)
    return leader
  }

  it('goes on under another leader when the leader is killed', async () => {
    const killed = await anotherLeads(({ daemon }) => daemon.end('SIGKILL'))
    await goesOn()
    await startReplica(killed)
  })

  it('goes on under another leader when the leader is frozen, which knows it when it wakes', async () => {
    const { daemon } = await anotherLeads(({ daemon }) => {
      daemon.signal('SIGSTOP')
    })
    await goesOn()
    const from = daemon.log.length
    daemon.signal('SIGCONT')
    await daemon.logged(({ msg }) => msg === 'lead.lost', 'it knows', { from })
  })

  it('goes on under another leader when the leader is cut off and no connection closes', async () => {
    const { toStore, toBroker, daemon } = await anotherLeads(({ toStore, toBroker }) => {
      toStore.freeze()
      toBroker?.freeze()
    })
    await daemon.logged(({ msg }) => msg === 'lead.lost', 'it knows')
    await goesOn()
    toStore.mend()
    toBroker?.mend()
  })

  it('hands over at once in a rolling restart', async () => {
    for (const replica of cluster.replicas) {
      const { epoch } = cluster
      const led = (await cluster.leader()) === replica
      assert.equal(await replica.daemon.end(), 0)
      if (led) await cluster.nextLeader(epoch, LEAD_LIMIT_MS)
      await startReplica(replica)
    }
  })

  it('goes on when RabbitMQ was killed', async () => {
    await node().kill()
    await pause(HOLD_MS)
    await node().start()
  })

  it('goes on when RabbitMQ has closed every connection', async () => {
    await node().rabbitmqctl('close_all_connections', 'by the test')
  })

  it('goes on when the queue was deleted', async () => {
    // What lies in it goes with it: so first everything that was confirmed is accepted.
    sender.child.kill('SIGSTOP')
    const known = async () => (await cluster.anyone.tasks()).length
    await until(
      async () => (await known()) >= linesOf(cluster.files.sent).length,
      'all are accepted',
      30_000,
    )
    await pause(500)
    await admin.connection.queueDelete({ queue: QUEUE })
    sender.child.kill('SIGCONT')
  })

  it('goes on when publishers were blocked by a memory alarm', async () => {
    await node().rabbitmqctl('set_vm_memory_high_watermark', 'absolute', '1')
    await pause(HOLD_MS)
    await node().rabbitmqctl('set_vm_memory_high_watermark', '0.4')
  })

  it('goes on when Postgres was killed', async () => {
    await postgres.kill()
    await pause(HOLD_MS)
    await postgres.start()
  })

  it('goes on when Postgres has ended every connection', async () => {
    for (let n = 0; n < 5; n += 1) {
      await queryOnce(
        postgres.url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      )
      await pause(200)
    }
  })

  it('goes on when Postgres was read-only', async () => {
    const reload = 'SELECT pg_reload_conf()'
    await queryOnce(postgres.url, 'ALTER SYSTEM SET default_transaction_read_only = on')
    await queryOnce(postgres.url, reload)
    await pause(READ_ONLY_MS)
    await queryOnce(
      `${postgres.url}?options=-c%20default_transaction_read_only%3Doff`,
      'ALTER SYSTEM RESET default_transaction_read_only',
    )
    await queryOnce(postgres.url, reload)
  })

  for (const service of ['toBroker', 'toStore'] as const) {
    const networks = () => cluster.replicas.map((replica) => replica[service]!)
    const name = service === 'toBroker' ? 'RabbitMQ' : 'Postgres'

    it(`goes on when the network to ${name} was cut in the middle of a message`, async () => {
      for (const network of networks()) network.cutAfter(2_000 + Math.random() * 100)
      await pause(HOLD_MS)
      for (const network of networks()) network.mend()
    })

    it(`goes on when the network to ${name} was frozen`, async () => {
      for (const network of networks()) network.freeze()
      await pause(HOLD_MS)
      for (const network of networks()) network.mend()
    })
  }

  it('has lost nothing, done nothing twice, and told everything in order', async function () {
    this.timeout(300_000)
    sender.child.kill('SIGTERM')
    assert.equal(await sender.exited, 0)
    const tasks = await allEnded(cluster.anyone, 120_000)
    const { sent, ran, heard } = cluster.files
    const acknowledged = linesOf(sent)
    assert.ok(acknowledged.length > 500, String(acknowledged.length))
    const events = await logOf(cluster.anyone, tasks.length)
    assertNothingLostOrDoubled({ acknowledged, tasks, events, ran: linesOf(ran) })
    const told = events.filter(({ name }) => HEARD.includes(name)).length
    await until(() => new Set(linesOf(heard)).size >= told, 'all is heard', 60_000)
    assertAllHeardInOrder(events, HEARD, linesOf(heard))
    const letters = await cluster.anyone.json<{ deadLetters: unknown[] }>('/v1/dead-letters')
    assert.deepEqual(letters.deadLetters, [])
    await until(
      () =>
        readdirSync(join(cluster.folder, 'data', 'units')).every((unit) => unit.startsWith('.')),
      'no unit is left over',
      30_000,
    )
    const count = async (sql: string) => Number((await queryOnce(postgres.url, sql))[0]?.['count'])
    assert.equal(await count('SELECT count(*) FROM messages'), 0)
    await until(
      async () => (await count('SELECT count(*) FROM events WHERE sent_at IS NULL')) === 0,
      'all is sent',
      30_000,
    )
    assert.equal(await admin.count(`${QUEUE}-dead-letter`), 0)
    process.stderr.write(
      `      ${acknowledged.length} tasks, ${linesOf(ran).length} attempts, ${events.length} events\n`,
    )
  })
})
