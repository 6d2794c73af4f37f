import { jobOf } from '../../adapters/scheduler/nomad/job/job.ts'
import type { Figure } from './figure.ts'
import { CALLERS, costOf, Nomad, unitOf } from './nomad.ts'
import { rawEnds, watchedEnds } from './nomad-ends.ts'
import { byCallers, Requests } from './requests.ts'
import { median } from './statistics.ts'

const COUNT = 500
const REPEATS = 5
const never = new AbortController().signal

interface Cost {
  readonly cpuMs: number
  readonly perSecond: number
}

/**
 * What the client costs for each task, from its registration until it is purged, beside bare calls that
 * send and read the same.
 */
export async function nomadTasks(): Promise<readonly Figure[]> {
  await using nomad = await Nomad.open()
  const ours: Cost[] = []
  const bare: Cost[] = []
  // The first ones are for compilers and connections to get warm.
  for (let n = 0; n <= REPEATS; n += 1) {
    const [one, other] = [await rawTasks(nomad, `raw-${n}`), await ourTasks(nomad, `own-${n}`)]
    if (n === 0) continue
    bare.push(one)
    ours.push(other)
  }
  const figure = (key: string, words: string, of: (cost: Cost) => number, unit: 'ms' | '/s') => ({
    row: 'nomad-tasks',
    key,
    words,
    value: median(ours.map(of)),
    unit,
    limit: { words: 'bare calls', value: median(bare.map(of)) },
  })
  return [
    figure('cpu_ms', "client's CPU for a task, start to purge", ({ cpuMs }) => cpuMs, 'ms'),
    figure(
      'per_s',
      `tasks, start to purge, ${CALLERS} at a time`,
      ({ perSecond }) => perSecond,
      '/s',
    ),
  ]
}

async function ourTasks(nomad: Nomad, name: string): Promise<Cost> {
  await using scheduler = nomad.scheduler()
  await using ends = await watchedEnds(scheduler)
  return await each(async (n) => {
    const unit = unitOf(`lh-${name}-${n}`, 'true')
    await scheduler.start(unit, never)
    await ends.of(unit.name)
    await scheduler.remove(unit.name, never)
  })
}

/** The calls that cannot be done without: it is registered, its end is heard, its output read, it is purged. */
async function rawTasks(nomad: Nomad, name: string): Promise<Cost> {
  using requests = new Requests(nomad.address, CALLERS)
  await using ends = await rawEnds(nomad.address)
  return await each(async (n) => {
    const id = `lh-${name}-${n}`
    const Job = jobOf(unitOf(id, 'true'), {})
    await requests.post('/v1/jobs', { Job, EnforceIndex: true, JobModifyIndex: 0 })
    await ends.of(id)
    const logs = `/v1/client/fs/logs/${ends.allocationOf(id)}?task=main&plain=true`
    await Promise.all([requests.get(`${logs}&type=stdout`), requests.get(`${logs}&type=stderr`)])
    await requests.delete(`/v1/job/${id}?purge=true`)
  })
}

async function each(work: (n: number) => Promise<void>): Promise<Cost> {
  const { cpuMs, wallMs } = await costOf(() => byCallers(CALLERS, COUNT, work))
  return { cpuMs: cpuMs / COUNT, perSecond: COUNT / (wallMs / 1000) }
}
