import assert from 'node:assert/strict'
import type { NewMessage } from '../../src/ports/message-table.ts'
import type { StoreCase } from './store.ts'

const ERROR = { name: 'TypeError', message: 'no', stack: 'TypeError: no\n at x' }

export function messageTableContract(given: () => StoreCase): void {
  describe('the message table', () => {
    const message = (id: string, headers: NewMessage['headers'] = {}): NewMessage => ({
      id,
      body: new Uint8Array([0, 255, 254, 10]),
      headers,
    })
    const put = async (...ids: string[]) => {
      for (const id of ids) await given().store.messages.put(message(id))
    }
    const claim = (limit = 10, holdMs = 10_000) => given().store.messages.claim(limit, holdMs)
    const ids = async (...args: Parameters<typeof claim>) =>
      (await claim(...args)).map(({ id }) => id)
    const at = (ms: number) => new Date(given().clock.now().getTime() + ms)

    it('keeps body and headers as they came, and two messages of one id apart', async () => {
      const { store } = given()
      const headers = { correlationId: 'c', attributes: '{"a":1}', stickyAttributes: 'no json' }
      await store.messages.put(message('m', headers))
      await store.messages.put(message('m'))
      const [first, second] = await claim()
      assert.deepEqual(first, { ...message('m', headers), key: first!.key, tries: 0 })
      assert.notEqual(second!.key, first.key)
      assert.deepEqual(second!.headers, {})
    })

    it('gives each to one taker, oldest first, until its time is over', async () => {
      await put('a', 'b', 'c')
      const together = await Promise.all([1, 1, 1, 1].map((limit) => ids(limit)))
      assert.deepEqual(together.flat(), ['a', 'b', 'c'])
      await given().elapse(8000)
      assert.deepEqual(await ids(), [])
      await given().elapse(2000)
      assert.deepEqual(
        (await claim()).map(({ id, tries }) => [id, tries]),
        [
          ['a', 0],
          ['b', 0],
          ['c', 0],
        ],
      )
    })

    it('holds longer what is renewed', async () => {
      const { store } = given()
      await put('a', 'b')
      const [a] = await claim()
      await given().elapse(9000)
      await store.messages.renew([a!.key], 10_000)
      await given().elapse(9000)
      assert.deepEqual(await ids(), ['b'])
    })

    it('forgets what is done', async () => {
      const { store, clock } = given()
      await put('a')
      const [a] = await claim()
      await store.messages.done(a!.key)
      clock.advance(5000)
      assert.deepEqual(await ids(), [])
      assert.equal(await store.messages.nextDue(), undefined)
    })

    it('gives a failed one again when it is due, with one try more', async () => {
      const { store, clock } = given()
      await put('a')
      const [a] = await claim()
      await store.messages.retry(a!.key, at(5000), ERROR)
      assert.deepEqual(await store.messages.nextDue(), at(5000))
      clock.advance(4999)
      assert.deepEqual(await ids(), [])
      clock.advance(1)
      assert.equal((await claim())[0]?.tries, 1)
    })

    it('gives back at once what was not tried', async () => {
      const { store } = given()
      await put('a')
      const [a] = await claim()
      assert.equal(await store.messages.nextDue(), undefined)
      let woken = 0
      const end = store.onWrite('messages', () => (woken += 1))
      await store.messages.giveBack(a!.key)
      end()
      assert.equal(woken, 1)
      assert.deepEqual(await claim(), [{ ...a!, tries: 0 }])
    })

    it('buries once, and nothing brings a buried one back but a replay', async () => {
      const { store, clock } = given()
      await put('a')
      const [a] = await claim()
      await store.messages.bury(a!.key, ERROR)
      await store.messages.bury(a!.key, { name: 'Other', message: '' })
      await store.messages.done(a!.key)
      await store.messages.retry(a!.key, at(0), ERROR)
      clock.advance(5000)
      assert.deepEqual(await ids(), [])
      const letter = await store.messages.deadLetter(a!.key)
      assert.deepEqual(letter, { ...a!, tries: 1, at: at(-5000), error: ERROR })
      assert.equal(await store.messages.replay(a!.key), true)
      assert.equal(await store.messages.replay(a!.key), false)
      assert.deepEqual(await claim(), [a])
    })

    it('lists dead letters page by page, the newest first, and drops them', async () => {
      const { store, clock } = given()
      await put('a', 'b', 'c')
      for (const { key } of await claim()) {
        await store.messages.bury(key, ERROR)
        clock.advance(1)
      }
      const first = await store.messages.deadLetters({ limit: 2 })
      const rest = await store.messages.deadLetters({ limit: 2, cursor: first.next! })
      const listed = [...first.letters, ...rest.letters]
      assert.deepEqual(
        listed.map(({ id }) => id),
        ['c', 'b', 'a'],
      )
      assert.equal(rest.next, undefined)
      assert.equal(await store.messages.drop(listed[0]!.key), true)
      assert.equal(await store.messages.drop(listed[0]!.key), false)
      assert.equal(await store.messages.deadLetter(listed[0]!.key), undefined)
      assert.equal(await store.messages.deadLetter('no key'), undefined)
      assert.equal((await store.messages.deadLetters({ limit: 9 })).letters.length, 2)
      await assert.rejects(store.messages.deadLetters({ limit: 1, cursor: 'x' }), {
        code: 'bad-cursor',
      })
    })
  })
}
