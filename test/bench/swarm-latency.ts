import type { Figure } from './figure.ts'
import { atPace } from './pace.ts'
import { likeIt, RawSwarm } from './raw-swarm.ts'
import { Requests } from './requests.ts'
import { percentile } from './statistics.ts'
import { Subscriber } from './subscriber.ts'
import { schedulerBy, type Swarm, type Way, WAY_WORDS, WAYS } from './swarm.ts'
import { containerTimesIn, timedContainerType } from './timed-container.ts'
import { wallMs } from './wall-clock.ts'
import type { Workbench } from './workbench.ts'

/**
 * Containers in turn, ours and a raw one: two a second, each a fifth of a second long. Two cores start six
 * or seven, and what is measured must not wait for one.
 */
const COUNT_EACH = 100
const APART_MS = 500
const WORK_SECONDS = 0.2

interface Latencies {
  /** From the wish (the command, or the call, is about to be sent) to the container's first own word. */
  readonly start: readonly number[]
  /** From the container's last own word to the news of its end. */
  readonly end: readonly number[]
}

interface Measured {
  readonly ours: Latencies
  readonly raw: Latencies
}

/** A news of an end may be so late at the median. */
const END_GOAL_MS: Readonly<Record<Way, number>> = { control: 250, listing: 900 }

/** How long a command takes to become a container, and its death to be an event at a subscriber. */
export async function swarmLatency(bench: Workbench): Promise<readonly Figure[]> {
  const swarm = await bench.swarm()
  if (swarm === undefined) return []
  const figures: Figure[] = []
  for (const way of WAYS) figures.push(...figuresOf(way, await inTurn(bench, swarm, way)))
  await bench.clearSwarm(swarm)
  return figures
}

async function inTurn(bench: Workbench, swarm: Swarm, way: Way): Promise<Measured> {
  const times = await bench.folder()
  const daemon = await bench.daemon(
    { timed: timedContainerType(times, WORK_SECONDS, 'bench/timed') },
    { scheduler: schedulerBy(way, swarm.sockets) },
  )
  using raw = await RawSwarm.open(swarm.sockets.docker)
  await daemon.fetch('/v1/tasks', { type: 'timed', input: { id: 'first' } })
  const spec = await raw.specOf('timed')
  await daemon.ended('timed/first')
  using requests = new Requests(daemon.url, 16)
  using exits = await Subscriber.open(daemon.url, 'longhaul/task-exited')
  const wished = { ours: new Map<string, number>(), raw: new Map<string, number>() }
  const over = new Map<string, number>()
  await atPace(2 * COUNT_EACH, APART_MS, async (id) => {
    if (Number(id) % 2 === 0) {
      wished.ours.set(id, wallMs())
      await requests.post('/v1/messages', { message: { $name: 'bench/timed', $version: 1, id } })
    } else {
      const like = likeIt(spec, id)
      wished.raw.set(id, wallMs())
      const service = await raw.create(like)
      over.set(id, await raw.over(service))
      await raw.remove(service)
    }
  })
  for (const { taskId, receivedAt } of await exits.until(COUNT_EACH)) {
    over.set(taskId.replace('timed/', ''), receivedAt)
  }
  await raw.empty()
  await bench.clear(daemon)
  const { started, ending } = await containerTimesIn(times)
  const latencies = (since: ReadonlyMap<string, number>): Latencies => {
    const ids = [...since.keys()]
    return { start: between(ids, since, started), end: between(ids, ending, over) }
  }
  return { ours: latencies(wished.ours), raw: latencies(wished.raw) }
}

function between(
  ids: readonly string[],
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
): readonly number[] {
  return ids.map((id) => (to.get(id) ?? Number.NaN) - (from.get(id) ?? Number.NaN))
}

function figuresOf(way: Way, { ours, raw }: Measured): readonly Figure[] {
  // The hundredth part of so few is one unlucky moment: shown, and no goal.
  const goals = {
    start: { kind: 'times', atMost: 1.1 },
    end: { kind: 'under', value: END_GOAL_MS[way] },
  } as const
  const figure = (kind: 'start' | 'end', share: number): Figure => {
    const words =
      kind === 'start' ? 'command sent to container started' : 'container death to event received'
    const beside = kind === 'start' ? 'raw services/create' : 'raw list of tasks'
    const at = `p${share * 100}`
    return {
      row: 'swarm-latency',
      key: `${way}_${kind === 'start' ? 'command_to_start' : 'death_to_event'}_${at}_ms`,
      words: `${words}, ${WAY_WORDS[way]}, ${at}`,
      value: percentile(ours[kind], share),
      unit: 'ms',
      limit: { words: beside, value: percentile(raw[kind], share) },
      ...(share === 0.5 && { goal: goals[kind] }),
    }
  }
  return [figure('start', 0.5), figure('start', 0.99), figure('end', 0.5), figure('end', 0.99)]
}
