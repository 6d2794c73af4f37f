import type { NomadScheduler } from '../../adapters/scheduler/nomad/scheduler.ts'
import type { Figure } from './figure.ts'
import { costOf, fill, Nomad, running, unitOf } from './nomad.ts'
import { type Ends, rawEnds, watchedEnds } from './nomad-ends.ts'
import { median } from './statistics.ts'

const LIVE = 1_000
const FRAMES = 20_000
const REPEATS = 5
const PER_SECOND = 100
const SECONDS = 10
const never = new AbortController().signal

interface Cost {
  readonly perSecond: number
  /** Percent of a core, at `PER_SECOND` frames. */
  readonly cpu: number
}

/**
 * How fast an adapter takes what the stream tells of many live jobs, and what it uses while that comes at
 * a pace, beside a reader that parses every frame and makes nothing of it.
 */
export async function nomadWatch(): Promise<readonly Figure[]> {
  await using nomad = await Nomad.open()
  await using scheduler = nomad.scheduler()
  await fill(scheduler, LIVE)
  const last = lastOnes(scheduler)
  const measure = async (open: () => Promise<Ends>): Promise<Cost> => {
    await using ends = await open()
    return { perSecond: await fast(nomad, ends, last), cpu: await paced(nomad) }
  }
  const ours: Cost[] = []
  const bare: Cost[] = []
  for (let n = 0; n <= REPEATS; n += 1) {
    const one = await measure(() => rawEnds(nomad.address))
    const other = await measure(async () => {
      const ends = await watchedEnds(scheduler)
      await scheduler.list(never)
      return ends
    })
    if (n === 0) continue
    bare.push(one)
    ours.push(other)
  }
  const words = `${LIVE.toLocaleString('en')} live jobs`
  const limit = (of: (cost: Cost) => number) => ({
    words: 'parsing each frame',
    value: median(bare.map(of)),
  })
  return [
    {
      row: 'nomad-watch',
      key: 'frames_per_s',
      words: `frames handled by a core, ${words}`,
      value: median(ours.map(({ perSecond }) => perSecond)),
      unit: '/s',
      limit: limit(({ perSecond }) => perSecond),
    },
    {
      row: 'nomad-watch',
      key: 'cpu_percent',
      words: `CPU at ${PER_SECOND} frames a second, ${words}`,
      value: median(ours.map(({ cpu }) => cpu)),
      unit: '%',
      limit: limit(({ cpu }) => cpu),
    },
  ]
}

/** Runs a job each time whose end will be the last that is told. */
function lastOnes(scheduler: NomadScheduler): () => Promise<string> {
  let count = 0
  return async () => {
    count += 1
    const unit = unitOf(`lh-last-${count}`, 'sleep')
    await scheduler.start(unit, never)
    await running(scheduler, LIVE + 1)
    return unit.name
  }
}

/**
 * By a second of a core's work, and not of the clock: the frames are made on this machine, too. It is over
 * when the end of the last one is known, which is told after them all.
 */
async function fast(nomad: Nomad, ends: Ends, last: () => Promise<string>): Promise<number> {
  const job = await last()
  const { cpuMs } = await costOf(async () => {
    await nomad.order({ does: 'tell', count: FRAMES })
    await nomad.order({ does: 'end', job })
    await ends.of(job)
  })
  return FRAMES / (cpuMs / 1000)
}

async function paced(nomad: Nomad): Promise<number> {
  const order = { does: 'tell', count: PER_SECOND * SECONDS, perSecond: PER_SECOND } as const
  const { cpuMs, wallMs } = await costOf(() => nomad.order(order))
  return (cpuMs / wallMs) * 100
}
