import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { createEventBell } from '../../src/http/event-bell.ts'
import { eventStream } from '../../src/http/event-stream.ts'
import { newEvent, until } from '../support/store.ts'
import { type Harness, REAL_CLOCK, startHarness, TextStream } from './harness.ts'

describe('the events stream', () => {
  let http: Harness
  beforeEach(async () => {
    http = await startHarness()
  })
  afterEach(() => http[Symbol.asyncDispose]())

  const write = (...ids: string[]) =>
    http.store.tasks.append(ids.map((id) => newEvent(REAL_CLOCK, id)))
  const follow = (query = '', headers: Record<string, string> = {}) =>
    TextStream.open(`${http.url}/v1/events${query}`, headers)
  const idsOf = ({ events }: Pick<TextStream, 'events'>) =>
    events.map(({ data }) => (data['message'] as { eventId: string }).eventId)
  const ready = (stream: TextStream) =>
    until(() => stream.text.startsWith(': ready\n\n'), 'the stream is ready')

  it('tells what is written after it said that it is ready, and nothing before', async () => {
    await write('before')
    await using stream = await follow()
    await ready(stream)
    assert.match(stream.response.headers.get('content-type')!, /^text\/event-stream/)
    await write('a', 'b')
    await until(() => stream.events.length === 2, 'both events')
    assert.deepEqual(idsOf(stream), ['a', 'b'])
  })

  it('tells each event with its cursor, its name and how it is addressed', async () => {
    await using stream = await follow('?after=0')
    const stickyAttributes = { workflowId: 'w', n: 1 }
    const event = newEvent(REAL_CLOCK, 'a', { correlationId: 'c', stickyAttributes })
    await http.store.tasks.append([event])
    await until(() => stream.events.length === 1, 'the event')
    const [told] = stream.events
    assert.ok(told?.id)
    assert.equal(told.event, 'longhaul/task-accepted')
    assert.deepEqual(told.data, {
      message: event.message,
      correlationId: 'c',
      attributes: {},
      stickyAttributes,
    })
  })

  it('begins with the oldest kept at 0, and goes on after the last id that was seen', async () => {
    const ids = Array.from({ length: 120 }, (_, n) => `e${n}`)
    await write(...ids)
    await using all = await follow('?after=0')
    await until(() => all.events.length === 120, 'all events')
    assert.deepEqual(idsOf(all), ids)
    const last = all.events[99]!.id!
    await using rest = await follow('?after=0', { 'last-event-id': last })
    await until(() => rest.events.length === 20, 'the rest')
    assert.deepEqual(idsOf(rest), ids.slice(100))
  })

  it('filters by type, name and task', async () => {
    await using stream = await follow('?type=encode&name=media/done&task=encode/7')
    await ready(stream)
    const right = { taskType: 'encode', name: 'media/done', taskId: 'encode/7' }
    await http.store.tasks.append([
      newEvent(REAL_CLOCK, 'type', { ...right, taskType: 'export' }),
      newEvent(REAL_CLOCK, 'name', { ...right, name: 'media/other' }),
      newEvent(REAL_CLOCK, 'task', { ...right, taskId: 'encode/8' }),
      newEvent(REAL_CLOCK, 'right', { ...right, message: { eventId: 'right' } }),
    ])
    await until(() => stream.events.length > 0, 'an event')
    assert.deepEqual(idsOf(stream), ['right'])
  })

  it('finds what matches far behind what does not', async () => {
    const noise = Array.from({ length: 2500 }, (_, n) => newEvent(REAL_CLOCK, `n${n}`))
    await http.store.tasks.append([...noise, newEvent(REAL_CLOCK, 'x', { taskId: 'encode/x' })])
    await using stream = await follow('?after=0&task=encode/x')
    await until(() => stream.events.length === 1, 'the event')
  })

  it('says first that events after the cursor have been purged', async () => {
    await write('a', 'b', 'c')
    await using first = await follow('?after=0')
    await until(() => first.events.length === 3, 'all events')
    const held = await http.store.events.claim(10, 60_000)
    for (let left = held; left.length > 0; left = await http.store.events.claim(10, 60_000)) {
      await http.store.events.markSent(
        left.map(({ seq }) => seq),
        new Date(),
      )
    }
    assert.equal(await http.store.events.purge(new Date(Date.now() + 1000), 1000, 2), 2)
    await using stream = await follow(`?after=${first.events[0]!.id!}`)
    await until(() => stream.events.length === 2, 'the gap and the event')
    assert.equal(stream.events[0]!.event, 'longhaul/gap')
    assert.deepEqual(idsOf({ events: stream.events.slice(1) }), ['c'])
    await using oldest = await follow('?after=0')
    await until(() => oldest.events.length === 1, 'the oldest kept')
    assert.equal(oldest.events[0]!.event, 'longhaul/task-accepted')
  })

  it('refuses what is no cursor', async () => {
    for (const reply of [
      await http.call('GET', '/v1/events?after=yesterday'),
      await http.call('GET', '/v1/events', undefined, { 'last-event-id': 'x' }),
    ]) {
      assert.equal(reply.status, 422)
      assert.equal(reply.body['code'], 'bad-cursor')
    }
  })

  it('gives many readers the same events in the same order', async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => follow()))
    await Promise.all(streams.map(ready))
    const ids = Array.from({ length: 10 }, (_, n) => `e${n}`)
    for (const id of ids) await write(id)
    await until(() => streams.every(({ events }) => events.length === 10), 'all events')
    for (const stream of streams) assert.deepEqual(idsOf(stream), ids)
    await Promise.all(streams.map((stream) => stream[Symbol.asyncDispose]()))
  })

  it('ends its streams at once when the server closes', async () => {
    await using stream = await follow()
    await ready(stream)
    const begun = performance.now()
    await http.server[Symbol.asyncDispose]()
    await until(() => stream.ended, 'the stream has ended')
    assert.ok(performance.now() - begun < 1000)
  })

  it('stops reading the log while a reader does not take what was sent', async () => {
    let reads = 0
    await using slow = await startHarness(({ events }) => ({
      events: {
        ...events,
        read: (query) => {
          reads += 1
          return events.read(query)
        },
      },
    }))
    const big = 'x'.repeat(20_000)
    const drafts = Array.from({ length: 1500 }, (_, n) =>
      newEvent(REAL_CLOCK, `e${n}`, { message: { big } }),
    )
    await slow.store.tasks.append(drafts)
    const socket = connect(slow.server.address.port, '127.0.0.1')
    socket.pause()
    socket.write('GET /v1/events?after=0 HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await until(() => reads > 1, 'the first reads')
    let before = -1
    let still = 0
    await until(() => {
      still = reads === before ? still + 1 : 0
      before = reads
      return still > 100
    }, 'it stands still')
    assert.ok(reads < 30, `${reads} of 31 pages were read`)
    let taken = 0
    socket.on('data', (chunk) => (taken += chunk.length))
    socket.resume()
    await until(() => taken > 1500 * 20_000, 'the rest comes once it is taken')
    socket.destroy()
  })

  it('stops reading when the reader leaves', async () => {
    let reads = 0
    await using watched = await startHarness(({ events }) => ({
      events: {
        ...events,
        read: (query) => {
          reads += 1
          return events.read(query)
        },
      },
    }))
    const stream = await TextStream.open(`${watched.url}/v1/events`)
    await ready(stream)
    const readsOfAWrite = async (id: string) => {
      const before = reads
      await watched.store.tasks.append([newEvent(REAL_CLOCK, id)])
      await watched.call('GET', '/healthz')
      return reads - before
    }
    assert.ok((await readsOfAWrite('seen')) > 0)
    await stream[Symbol.asyncDispose]()
    let n = 0
    await until(async () => (await readsOfAWrite(`e${n++}`)) === 0, 'nobody reads')
  })

  it('comments when there is nothing to tell, and notices a lost wake-up then', async () => {
    using bell = createEventBell(() => () => undefined)
    const leaving = new AbortController()
    const deps = { events: http.store.events, bell, keepAliveMs: 5 }
    const frames = (await eventStream(deps, {}, leaving.signal))[Symbol.asyncIterator]()
    assert.equal((await frames.next()).value, ': ready\n\n')
    assert.equal((await frames.next()).value, ': still here\n\n')
    await write('unheard')
    let text = ': still here'
    while (text.startsWith(':')) {
      const next = await frames.next()
      assert.ok(next.done !== true)
      text = next.value
    }
    assert.match(text, /"eventId":"unheard"/)
    leaving.abort()
    assert.equal((await frames.next()).done, true)
  })
})
