import assert from 'node:assert/strict'
import { changesBy } from '../../../../../adapters/scheduler/swarm/control/watch-by.ts'
import type {
  TaskChange,
  TaskChanges,
} from '../../../../../adapters/scheduler/swarm/task-changes.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import type { Logger } from '../../../../../src/ports/logger.ts'

/** A way to watch that stands, tells one change and ends when it is aborted or told to fail. */
class Way {
  stands = true
  open = 0
  readonly #name: string
  #fail: (error: Unavailable) => void = () => undefined

  constructor(name: string) {
    this.#name = name
  }

  readonly changes: TaskChanges = (signal) => {
    if (!this.stands) return Promise.reject(new Unavailable('watch', `${this.#name} is away`))
    this.open += 1
    const over = new Promise<void>((resolve, reject) => {
      this.#fail = reject
      signal.addEventListener('abort', () => {
        this.open -= 1
        resolve()
      })
    })
    over.catch(() => undefined)
    const change: TaskChange = {
      tasks: [{ ID: this.#name, ServiceID: '', DesiredState: '', Status: { State: '' }, Spec: {} }],
      nodesMoved: false,
    }
    return Promise.resolve(
      (async function* () {
        yield change
        await over
      })(),
    )
  }

  fail(): void {
    this.stands = false
    this.#fail(new Unavailable('watch', `${this.#name} has failed`))
  }
}

describe('watching by the control socket, else by listing', () => {
  let control: Way
  let listing: Way
  let logged: string[]
  let given: AbortController
  let watch: TaskChanges
  beforeEach(() => {
    control = new Way('control')
    listing = new Way('listing')
    logged = []
    given = new AbortController()
    const log: Logger['info'] = (event, fields) => {
      if (event === 'watch.by') logged.push(String(fields?.['by']))
    }
    const logger: Logger = { debug: log, info: log, warn: log, error: log }
    watch = changesBy({
      control: control.changes,
      listing: listing.changes,
      logger,
      retryMs: 1,
    })
  })
  afterEach(() => {
    given.abort()
  })

  /** Reads a stream to its end, and tells each change by its way. */
  const read = async (told: string[] = []): Promise<readonly string[]> => {
    for await (const { tasks } of await watch(given.signal)) told.push(...tasks.map(({ ID }) => ID))
    return told
  }

  it('is by the control socket alone where that stands', async () => {
    const told: string[] = []
    const reading = read(told)
    while (told.length === 0) await new Promise(setImmediate)
    assert.equal(listing.open, 0)
    given.abort()
    await reading
    assert.deepEqual(told, ['control'])
    assert.deepEqual(logged, ['control'])
  })

  it('throws when the control socket fails, and is by listing when asked again', async () => {
    const told: string[] = []
    const reading = read(told)
    reading.catch(() => undefined)
    while (told.length === 0) await new Promise(setImmediate)
    control.fail()
    await assert.rejects(reading, /control has failed/)
    const again: string[] = []
    const listed = read(again)
    while (again.length === 0) await new Promise(setImmediate)
    given.abort()
    await listed
    assert.deepEqual([...told, ...again], ['control', 'listing'])
    assert.deepEqual(logged, ['control', 'listing'])
  })

  it('ends the listing once the control socket answers, and is by that when asked again', async () => {
    control.stands = false
    const told: string[] = []
    const reading = read(told)
    reading.catch(() => undefined)
    while (told.length === 0) await new Promise(setImmediate)
    control.stands = true
    await assert.rejects(reading, /answers again/)
    assert.deepEqual([control.open, listing.open], [0, 0])
    const again = read(told)
    while (told.length === 1) await new Promise(setImmediate)
    given.abort()
    await again
    assert.deepEqual(told, ['listing', 'control'])
    assert.deepEqual(logged, ['listing', 'control'])
  })

  it('says once which way it is by, however often it is asked', async () => {
    for (let times = 0; times < 3; times += 1) {
      const one = new AbortController()
      await watch(one.signal)
      one.abort()
    }
    assert.deepEqual(logged, ['control'])
  })

  it('throws what listing throws where neither stands', async () => {
    control.stands = false
    listing.stands = false
    await assert.rejects(read(), /listing is away/)
    assert.deepEqual(logged, [])
  })

  it('tries the control socket no more once it is aborted', async () => {
    control.stands = false
    const told: string[] = []
    const reading = read(told)
    while (told.length === 0) await new Promise(setImmediate)
    given.abort()
    assert.deepEqual(await reading, ['listing'])
    control.stands = true
    await new Promise(setImmediate)
    assert.equal(control.open, 0)
  })
})
