import assert from 'node:assert/strict'
import { Unavailable } from '../../src/core/errors.ts'
import { createMetrics, METRICS } from '../../src/http/metrics.ts'
import type { StoreFigures } from '../../src/ports/task-store.ts'
import { ManualClock } from '../support/store.ts'

describe('metrics', () => {
  const clock = new ManualClock()
  const ago = (seconds: number) => new Date(clock.now().getTime() - seconds * 1000)
  const FIGURES: StoreFigures = {
    tasks: [
      { type: 'encode', state: 'queued', count: 3 },
      { type: 'encode', state: 'running', count: 2 },
    ],
    oldestQueued: [{ type: 'encode', dueAt: ago(90) }],
    unreleasedUnits: { count: 4, oldest: ago(60) },
    stuck: 1,
    outbox: { count: 5, oldest: ago(2) },
  }
  let figures: () => Promise<StoreFigures>
  beforeEach(() => {
    figures = () => Promise.resolve(FIGURES)
  })
  const metricsOf = () => createMetrics({ tasks: { figures: () => figures() }, clock })

  /** The values of our metrics, by name with labels. */
  async function read(metrics: ReturnType<typeof metricsOf>): Promise<Record<string, number>> {
    const lines = (await metrics.expose())
      .split('\n')
      .filter((line) => line.startsWith('longhaul_'))
    return Object.fromEntries(
      lines.map((line) => {
        const space = line.lastIndexOf(' ')
        return [line.slice(0, space), Number(line.slice(space + 1))]
      }),
    )
  }

  it('has every metric of the table, described, and the process with them', async () => {
    const text = await metricsOf().expose()
    for (const [name, help] of Object.entries(METRICS)) {
      assert.ok(text.includes(`# HELP ${name} ${help}\n`), name)
    }
    assert.match(text, /^process_cpu_seconds_total /m)
    assert.match(text, /^nodejs_eventloop_lag_seconds /m)
  })

  it('shows what is live as the store says it at the scrape', async () => {
    const metrics = metricsOf()
    const seen = await read(metrics)
    assert.equal(seen['longhaul_tasks{type="encode",state="queued"}'], 3)
    assert.equal(seen['longhaul_oldest_queued_age_seconds{type="encode"}'], 90)
    assert.equal(seen['longhaul_unreleased_units'], 4)
    assert.equal(seen['longhaul_oldest_unreleased_unit_age_seconds'], 60)
    assert.equal(seen['longhaul_stuck_tasks'], 1)
    assert.equal(seen['longhaul_outbox_events'], 5)
    assert.equal(seen['longhaul_oldest_outbox_event_age_seconds'], 2)
    assert.equal(seen['longhaul_store_up'], 1)

    const none = { count: 0 }
    figures = () =>
      Promise.resolve({
        tasks: [],
        oldestQueued: [],
        unreleasedUnits: none,
        stuck: 0,
        outbox: none,
      })
    const later = await read(metrics)
    assert.equal(later['longhaul_tasks{type="encode",state="queued"}'], undefined)
    assert.equal(later['longhaul_outbox_events'], 0)
    assert.equal(later['longhaul_oldest_outbox_event_age_seconds'], 0)
  })

  it('shows no old figures while the store is away, and all that is counted here', async () => {
    const metrics = metricsOf()
    await read(metrics)
    metrics.lateCopy()
    figures = () => Promise.reject(new Unavailable('store', 'away'))
    const seen = await read(metrics)
    assert.equal(seen['longhaul_store_up'], 0)
    assert.equal(seen['longhaul_late_copies_total'], 1)
    assert.equal(seen['longhaul_tasks{type="encode",state="queued"}'], undefined)
    assert.equal(seen['longhaul_outbox_events'], undefined)
    figures = () => Promise.resolve(FIGURES)
    assert.equal((await read(metrics))['longhaul_outbox_events'], 5)
  })

  it('counts what happens', async () => {
    const metrics = metricsOf()
    metrics.attemptEnded('oom')
    metrics.attemptEnded('oom')
    metrics.taskEnded('encode', 'failed')
    metrics.exitPublished(0.2)
    metrics.listed(0.02)
    metrics.orphans(7)
    metrics.watching(true)
    metrics.leading(true)
    metrics.message('retried')
    const seen = await read(metrics)
    assert.equal(seen['longhaul_attempts_total{reason="oom"}'], 2)
    assert.equal(seen['longhaul_attempts_total{reason="lost"}'], 0)
    assert.equal(seen['longhaul_tasks_ended_total{type="encode",state="failed"}'], 1)
    assert.equal(seen['longhaul_exit_to_event_seconds_bucket{le="0.25"}'], 1)
    assert.equal(seen['longhaul_exit_to_event_seconds_bucket{le="0.1"}'], 0)
    assert.equal(seen['longhaul_list_seconds_count'], 1)
    assert.equal(seen['longhaul_orphan_units'], 7)
    assert.equal(seen['longhaul_watcher_connected'], 1)
    assert.equal(seen['longhaul_leader'], 1)
    assert.equal(seen['longhaul_messages_total{outcome="retried"}'], 1)
    assert.equal(seen['longhaul_messages_total{outcome="dead-lettered"}'], 0)
  })

  it('counts for itself alone', async () => {
    metricsOf().lateCopy()
    assert.equal((await read(metricsOf()))['longhaul_late_copies_total'], 0)
  })
})
