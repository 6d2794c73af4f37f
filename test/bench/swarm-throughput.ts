import { TASK_IMAGE } from '../support/task-image.ts'
import type { Figure } from './figure.ts'
import { likeIt, RawSwarm, type ServiceSpec } from './raw-swarm.ts'
import { perSecond } from './raw-services.ts'
import { byCallers } from './requests.ts'
import { median } from './statistics.ts'
import { schedulerBy } from './swarm.ts'
import { throughDaemon } from './throughput.ts'
import type { Workbench } from './workbench.ts'

const CONCURRENCY = 8
const COUNT = 80
const REPEATS = 3

/** `true` as a container again and again, beside callers that create, wait and remove, as many at a time. */
export async function swarmThroughput(bench: Workbench): Promise<readonly Figure[]> {
  const swarm = await bench.swarm()
  if (swarm === undefined) return []
  const task = { command: 'bench/true', id: '/id', concurrency: { limit: CONCURRENCY } }
  const daemon = await bench.daemon(
    { true: { image: TASK_IMAGE, command: ['true'], 'x-task': task } },
    { scheduler: schedulerBy('control', swarm.sockets) },
  )
  using raw = await RawSwarm.open(swarm.sockets.docker)
  await daemon.fetch('/v1/tasks', { type: 'true', input: { id: 'first' } })
  const spec = await raw.specOf('true')
  await daemon.ended('true/first')
  const bare: number[] = []
  const whole: number[] = []
  for (let n = 0; n < REPEATS; n += 1) {
    await raw.empty()
    bare.push(await rawLoop(raw, spec))
    await raw.empty()
    whole.push(await throughDaemon(daemon.url, COUNT, n))
  }
  await bench.clear(daemon)
  await bench.clearSwarm(swarm)
  return [
    {
      row: 'swarm-throughput',
      key: 'true_per_s',
      words: `\`true\` as a container end to end, ${CONCURRENCY} at a time`,
      value: median(whole),
      unit: '/s',
      limit: { words: 'raw create, wait, remove', value: median(bare) },
    },
  ]
}

async function rawLoop(raw: RawSwarm, spec: ServiceSpec): Promise<number> {
  const begun = performance.now()
  await byCallers(CONCURRENCY, COUNT, async (n) => {
    const service = await raw.create(likeIt(spec, `raw-${n}`))
    await raw.over(service)
    await raw.remove(service)
  })
  return perSecond(COUNT, begun)
}
