import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { migratePostgres, openPostgresStore } from '../../../../adapters/store/postgres/open.ts'
import { MIGRATIONS } from '../../../../adapters/store/sql/migrations.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { freshDatabase, type Database } from '../../../support/postgres.ts'
import {
  changeOf,
  DEFINITION,
  found,
  ManualClock,
  newAttempt,
  newEvent,
  newTask,
  QuietLogger,
} from '../../../support/store.ts'
import { NEVER } from './opened.ts'
import { recordStatements, replay, type Told } from './recorder.ts'

const RECORDED = new URL('../../../fixtures/postgres/', import.meta.url)
const AGAIN =
  'LONGHAUL_TEST_RECORD=1 npx mocha --spec test/adapters/store/postgres/releases.test.ts'

/**
 * Daemons are updated one after another: what one of an older schema says must go on working on the
 * newer (see migrations.ts). What each version says is recorded in test/fixtures/postgres; the newest
 * recording is the present program's, and is made anew whenever that says something else.
 */
describe('what a release says to Postgres', () => {
  let database: Database
  beforeEach(async function () {
    database = await freshDatabase(this)
  })
  afterEach(() => database[Symbol.asyncDispose]())

  const file = (version: number) => new URL(`statements-${version}.json`, RECORDED)
  const recorded = async (version: number) =>
    JSON.parse(await readFile(file(version), 'utf8')) as Told[]
  const texts = (transactions: readonly Told[]) =>
    [...new Set(transactions.flat().map(({ text }) => withoutWords(text)))].sort()

  it('is what has been recorded for its schema', async () => {
    const clock = new ManualClock()
    const logger = new QuietLogger()
    await migratePostgres({ url: database.url, clock, logger })
    using recording = recordStatements()
    {
      await using store = await openPostgresStore({ url: database.url, clock, logger })
      await useAll(store, clock)
    }
    if (process.env['LONGHAUL_TEST_RECORD']) {
      await writeFile(
        file(MIGRATIONS.length),
        `${JSON.stringify(recording.transactions, null, 1)}\n`,
      )
    }
    assert.deepEqual(
      texts(recording.transactions),
      texts(await recorded(MIGRATIONS.length)),
      `the program says something else than is recorded; if that is meant: ${AGAIN}`,
    )
  })

  for (const [index, { oldest }] of MIGRATIONS.entries()) {
    const version = index + 1
    if (version < (MIGRATIONS.at(-1)?.oldest ?? oldest)) continue
    it(`works on the newest schema when it comes from one of version ${version}`, async () => {
      await migratePostgres({
        url: database.url,
        clock: new ManualClock(),
        logger: new QuietLogger(),
      })
      const transactions = await recorded(version)
      assert.ok(transactions.flat().length > 100)
      await replay(database.url, transactions)
    })
  }
})

/** Who tells is drawn anew for every opening. */
function withoutWords(text: string): string {
  return text.replaceAll(/[0-9a-f-]{36}/g, 'someone')
}

/** Does once what a store does. */
async function useAll(store: Store, clock: ManualClock): Promise<void> {
  const { tasks, events, messages } = store
  const now = clock.now()
  const at = (ms: number) => new Date(now.getTime() + ms)
  const full = newTask(clock, '1', { deadlineAt: at(9), notBefore: now, correlationId: 'c' })
  await tasks.accept(full, DEFINITION, [newEvent(clock, 'a')])
  await tasks.accept(full, DEFINITION, [])
  await tasks.accept(newTask(clock, '2', { concurrencyKey: 'k' }), DEFINITION, [])
  await tasks.startable(now, [{ type: 'encode', key: 'k' }], 5)
  await using lease = await store.leadership.acquire(NEVER)
  const attempt = newAttempt(clock, 1, { stop: { reason: 'cancelled', at: now } })
  await tasks.apply(
    changeOf(
      await found(store, full.id),
      { state: 'starting', attempt: 1 },
      { attempts: [attempt], events: [newEvent(clock, 'b')], wakeAt: at(1), commandId: 'command' },
    ),
    lease,
  )
  await tasks.list({ limit: 1 })
  await tasks.list({ limit: 1, type: 'encode', state: 'starting', cursor: '99' })
  await tasks.definition(DEFINITION.hash)
  await tasks.define(DEFINITION)
  await tasks.hasApplied('command')
  await tasks.append([newEvent(clock, 'c', { taskId: 'encode/2' })])
  await tasks.due(at(1), 1)
  await tasks.nextDue()
  await tasks.inFlight()
  await tasks.liveUnits()
  await tasks.callsFailed()
  await tasks.nextStart(now)
  await tasks.overKept(1, now, 1)
  await tasks.figures(at(1))
  await tasks.shiftDues(60_000, lease)
  await tasks.shiftDues(-60_000, lease)
  await tasks.settle('here', lease)
  await tasks.settle('there', lease, { abandon: true })

  const claimed = await events.claim(2, 60_000)
  await events.giveBack(claimed.slice(1).map(({ seq }) => seq))
  await events.markSent(
    claimed.slice(0, 1).map(({ seq }) => seq),
    now,
  )
  const { cursor } = await events.read({ limit: 1 })
  await events.read({ limit: 9, after: cursor, type: 'encode', name: 'n', task: full.id })
  await events.end()
  await events.purge(at(1), 0, 1)
  await tasks.apply(changeOf(await found(store, 'encode/2'), { state: 'cancelled', purgeAt: now }))
  const rest = await events.claim(9, 60_000)
  await events.markSent(
    rest.map(({ seq }) => seq),
    now,
  )
  await tasks.purge(now, 9, lease)

  for (const id of ['m', 'n', 'o']) {
    await messages.put({ id, body: new Uint8Array([1]), headers: { correlationId: 'c' } })
  }
  const [done, failed, buried] = await messages.claim(3, 60_000)
  await messages.renew([done!.key], 60_000)
  await messages.done(done!.key)
  await messages.retry(failed!.key, now, { name: 'E', message: 'm' })
  await messages.bury(buried!.key, { name: 'E', message: 'm' })
  await messages.nextDue()
  await messages.deadLetters({ limit: 1, cursor: '99-99' })
  await messages.deadLetter(buried!.key)
  await messages.replay(buried!.key)
  const [again] = await messages.claim(1, 60_000)
  await messages.giveBack(again!.key)
  await messages.drop(again!.key)
  await store.remember('name', 'value')
  await store.check()
}
