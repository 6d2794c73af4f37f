import assert from 'node:assert/strict'
import { newEvent } from '../support/store.ts'
import type { StoreCase } from './store.ts'

export function eventLogContract(given: () => StoreCase): void {
  describe('the event log', () => {
    const append = (...ids: string[]) =>
      given().store.tasks.append(
        ids.map((id) => newEvent(given().clock, id, { taskId: `encode/${id.charAt(0)}` })),
      )
    const claim = async (limit = 10, holdMs = 10_000) =>
      (await given().store.events.claim(limit, holdMs)).map(({ eventId }) => eventId)
    const seqsOf = async (...ids: string[]) => {
      const { events } = await given().store.events.read({ limit: 1000 })
      return events.filter(({ eventId }) => ids.includes(eventId)).map(({ seq }) => seq)
    }
    const send = async (...ids: string[]) =>
      given().store.events.markSent(await seqsOf(...ids), given().clock.now())

    it('gives an event back as it was written, and writes the same one once', async () => {
      const { store, clock } = given()
      const event = newEvent(clock, 'a', {
        correlationId: 'c',
        attributes: { a: 1 },
        stickyAttributes: { workflowId: 'w' },
        message: { $name: 'n', at: '2030-01-01T00:00:00.000Z' },
      })
      const { taskId: _, taskType: __, ...rejection } = newEvent(clock, 'a', { name: 'rejected' })
      await store.tasks.append([event, event, rejection])
      await store.tasks.append([event])
      const { events } = await store.events.read({ limit: 10 })
      assert.deepEqual(
        events.map(({ seq: _seq, cursor: _cursor, ...rest }) => rest),
        [event, rejection],
      )
    })

    it('claims the oldest unsent event of each task, and the next when it is sent', async () => {
      await append('a1', 'a2', 'b1', 'a3', 'c1')
      assert.deepEqual(await claim(2), ['a1', 'b1'])
      assert.deepEqual(await claim(), ['c1'], 'the others are held')
      await send('a1')
      assert.deepEqual(await claim(), ['a2'])
    })

    it('claims events of no task beside each other', async () => {
      const { store, clock } = given()
      const { taskId: _, ...rejection } = newEvent(clock, 'x')
      await store.tasks.append([rejection, { ...rejection, eventId: 'y' }])
      assert.deepEqual(await claim(), ['x', 'y'])
    })

    it('holds a claimed event until it is given back or its time is over', async () => {
      const { store } = given()
      await append('a1', 'b1')
      assert.deepEqual(await claim(1), ['a1'])
      await store.events.giveBack(await seqsOf('a1'))
      assert.deepEqual(await claim(1), ['a1'])
      await given().elapse(10_000)
      assert.deepEqual(await claim(), ['a1', 'b1'])
    })

    it('reads on from a cursor, in order, each event once', async () => {
      const { store } = given()
      await append('a1', 'a2', 'a3')
      const first = await store.events.read({ limit: 2 })
      assert.deepEqual(
        first.events.map(({ eventId }) => eventId),
        ['a1', 'a2'],
      )
      const rest = await store.events.read({ limit: 2, after: first.cursor })
      assert.deepEqual(
        rest.events.map(({ eventId }) => eventId),
        ['a3'],
      )
      const between = await store.events.read({ limit: 9, after: first.events[0]!.cursor })
      assert.equal(between.events.length, 2)
      const none = await store.events.read({ limit: 2, after: rest.cursor })
      assert.deepEqual(none, { events: [], cursor: rest.cursor, gap: false })
      await assert.rejects(store.events.read({ limit: 1, after: 'x;' }), { code: 'bad-cursor' })
    })

    it('starts from now at its end, in an empty log and in a purged one', async () => {
      const { store, clock } = given()
      const empty = await store.events.end()
      await append('a1')
      assert.equal((await store.events.read({ limit: 9, after: empty })).events.length, 1)
      await send('a1')
      const end = await store.events.end()
      await store.events.purge(new Date(clock.now().getTime() + 1), 1000, 10)
      assert.equal(await store.events.end(), end)
      await append('a2')
      const page = await store.events.read({ limit: 9, after: end })
      assert.deepEqual([page.events[0]?.eventId, page.gap], ['a2', false])
    })

    it('filters by type, name and task, and gets on through what does not match', async () => {
      const { store, clock } = given()
      const many = Array.from({ length: 2500 }, (_, n) => newEvent(clock, `x${n}`))
      await store.tasks.append([
        ...many,
        newEvent(clock, 'hit', { name: 'own/name', taskId: 'train/1', taskType: 'train' }),
      ])
      for (const filter of [{ type: 'train' }, { name: 'own/name' }, { task: 'train/1' }]) {
        const hits: string[] = []
        let after: string | undefined
        let pages = 0
        for (;;) {
          const page = await store.events.read({
            limit: 10,
            ...filter,
            ...(after !== undefined && { after }),
          })
          hits.push(...page.events.map(({ eventId }) => eventId))
          pages += 1
          if (page.cursor === after) break
          after = page.cursor
        }
        assert.deepEqual(hits, ['hit'])
        assert.ok(pages > 2 && pages < 10, `a bounded stretch a page: ${pages}`)
      }
      const { events } = await store.events.read({ limit: 5, task: 'encode/1', type: 'encode' })
      assert.equal(events.length, 5)
    })

    it('purges sent events by age and number, oldest first, in batches; never an unsent one', async () => {
      const { store, clock } = given()
      await append('a1', 'b1', 'c1')
      await send('b1', 'c1')
      clock.advance(1000)
      await append('d1', 'e1', 'f1')
      await send('d1', 'e1')
      const kept = async () =>
        (await store.events.read({ limit: 9 })).events.map(({ eventId }) => eventId)
      assert.equal(await store.events.purge(clock.now(), 1000, 1), 1)
      assert.deepEqual(await kept(), ['a1', 'c1', 'd1', 'e1', 'f1'])
      assert.equal(await store.events.purge(clock.now(), 1000, 10), 1)
      assert.deepEqual(await kept(), ['a1', 'd1', 'e1', 'f1'])
      assert.equal(await store.events.purge(clock.now(), 2, 10), 1)
      assert.deepEqual(await kept(), ['a1', 'e1', 'f1'])
      assert.equal(await store.events.purge(clock.now(), 2, 10), 0)
    })

    it('says that there is a gap where events after the cursor have been purged', async () => {
      const { store, clock } = given()
      await append('a1', 'a2', 'a3')
      const { events } = await store.events.read({ limit: 9 })
      await send('a1', 'a2')
      await store.events.purge(new Date(clock.now().getTime() + 1), 1000, 10)
      const from = async (index: number) =>
        (await store.events.read({ limit: 9, after: events[index]!.cursor })).gap
      assert.deepEqual([await from(0), await from(1), await from(2)], [true, false, false])
      assert.equal((await store.events.read({ limit: 9 })).gap, false)
    })
  })
}
