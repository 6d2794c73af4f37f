import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/store.ts'
import { CountedSocket } from './counted-socket.ts'
import type { Figure } from './figure.ts'
import { cpuSeconds } from './process-figures.ts'
import { filters } from './raw-swarm.ts'
import { Requests } from './requests.ts'
import { schedulerBy, type Way, WAY_WORDS, WAYS } from './swarm.ts'
import { load, loadTypes } from './swarm-load.ts'
import type { Workbench } from './workbench.ts'

/** From when a daemon begins to read its list until it has handled it. */
const HANDLED_MS = 10_000
const LIST_LIMIT_MS = 120_000
const RAW_MS = 20_000

interface Cost {
  /** Percent of a core. */
  readonly cpu: number
  readonly dockerdCpu: number
  readonly kbPerSecond: number
}

/** Whose cost it is. */
interface Payer {
  readonly pid: number
  readonly dockerd: number
  /** Received so far. */
  bytes(): number
}

/**
 * What watching costs while tasks run, many that are over are kept, and nothing happens: by either way,
 * beside a client that lists all tasks each second.
 */
export async function swarmWatch(bench: Workbench): Promise<readonly Figure[]> {
  const swarm = await bench.swarm()
  if (swarm === undefined) return []
  const { swarmRunning: running, swarmFinished: finished } = bench.options
  const folder = await bench.folder()
  const { sockets, dockerdPid: dockerd } = swarm
  await using docker = await CountedSocket.open(sockets.docker, join(folder, 'docker.sock'))
  await using control = await CountedSocket.open(sockets.control, join(folder, 'control.sock'))
  const bytes = () => docker.bytes + control.bytes
  const types = loadTypes(finished)
  const config = (way: Way) => ({
    scheduler: schedulerBy(way, { docker: docker.path, control: control.path }),
    limits: { in_flight: running + 100 },
  })

  const begun = performance.now()
  const filling = await bench.daemon(types, config('control'))
  await load(filling, { running, finished })
  await filling.end()
  const seconds = (performance.now() - begun) / 1000
  bench.say(`  ${running} running and ${finished} finished in ${seconds.toFixed(0)} s`)

  const nobody = { pid: process.pid, dockerd, bytes }
  const alone = await costOf(nobody, () => pause(RAW_MS))
  const costs = new Map<Way, Cost>()
  const daemons = [filling]
  for (const way of WAYS) {
    const daemon = await bench.daemon(types, config(way), filling.folder)
    daemons.push(daemon)
    // With its first list a daemon that has just started asks for the end of each output.
    for (let n = 0; n < 2; n += 1) await nextList(docker)
    // Whole rounds: what is costly of a round is its list.
    const round = () => fromListToList(docker, bench.options.idleMs)
    costs.set(way, await costOf({ pid: daemon.pid!, dockerd, bytes }, round))
    await daemon.end()
  }
  const raw = await rawLists(sockets.docker, dockerd)
  for (const daemon of daemons) await bench.clear(daemon)
  await bench.clearSwarm(swarm)
  const counts = `${running} running, ${finished.toLocaleString('en')} finished`
  return [
    ...WAYS.flatMap((way) => figuresOf(way, counts, costs.get(way)!, raw)),
    {
      row: 'swarm-watch',
      key: 'dockerd_alone_cpu_percent',
      words: `dockerd's CPU, ${counts}, nobody watches`,
      value: alone.dockerdCpu,
      unit: '%',
    },
  ]
}

/** Ends a moment after a list, when that has been handled. */
async function nextList(docker: CountedSocket): Promise<void> {
  const before = listsIn(docker)
  await until(() => listsIn(docker) > before, 'the daemon lists', LIST_LIMIT_MS)
  await pause(HANDLED_MS)
}

async function fromListToList(docker: CountedSocket, atLeastMs: number): Promise<void> {
  const begun = performance.now()
  while (performance.now() - begun < atLeastMs) await nextList(docker)
}

function listsIn(docker: CountedSocket): number {
  return docker.requests.get('GET /services') ?? 0
}

async function costOf(payer: Payer, during: () => Promise<void>): Promise<Cost> {
  const now = () => ({
    cpu: cpuSeconds(payer.pid),
    dockerdCpu: cpuSeconds(payer.dockerd),
    bytes: payer.bytes(),
  })
  const before = now()
  const begun = performance.now()
  await during()
  const seconds = (performance.now() - begun) / 1000
  const after = now()
  return {
    cpu: ((after.cpu - before.cpu) / seconds) * 100,
    dockerdCpu: ((after.dockerdCpu - before.dockerdCpu) / seconds) * 100,
    kbPerSecond: (after.bytes - before.bytes) / seconds / 1000,
  }
}

/** All tasks each second, or as fast as the engine tells them, read by this very process. */
async function rawLists(socket: string, dockerd: number): Promise<Cost> {
  using requests = new Requests(socket, 1)
  const path = `/tasks?filters=${filters({ label: ['longhaul.installation'] })}`
  let bytes = 0
  const payer = { pid: process.pid, dockerd, bytes: () => bytes }
  return await costOf(payer, async () => {
    const begun = performance.now()
    while (performance.now() - begun < RAW_MS) {
      const asked = performance.now()
      const text = await requests.get(path)
      bytes += Buffer.byteLength(text)
      JSON.parse(text)
      await pause(Math.max(0, asked + 1_000 - performance.now()))
    }
  })
}

function figuresOf(way: Way, counts: string, cost: Cost, raw: Cost): readonly Figure[] {
  const figure = (
    key: string,
    words: string,
    of: (cost: Cost) => number,
    unit: '%' | 'kB/s',
    goal?: Figure['goal'],
  ): Figure => ({
    row: 'swarm-watch',
    key: `${way}_${key}`,
    words: `${words} ${WAY_WORDS[way]}, ${counts}`,
    value: of(cost),
    unit,
    limit: { words: 'raw list each second', value: of(raw) },
    ...(goal !== undefined && { goal }),
  })
  return [
    figure(
      'cpu_percent',
      'CPU',
      ({ cpu }) => cpu,
      '%',
      // Where it is watched by listing, the lists are what it costs.
      way === 'control' ? { kind: 'under', value: 2 } : undefined,
    ),
    figure('kb_per_s', 'received', ({ kbPerSecond }) => kbPerSecond, 'kB/s'),
    figure('dockerd_cpu_percent', "dockerd's CPU", ({ dockerdCpu }) => dockerdCpu, '%'),
  ]
}
