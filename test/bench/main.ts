import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { accept } from './accept.ts'
import { acceptRabbitmq } from './accept-rabbitmq.ts'
import type { Figure } from './figure.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { latencyRabbitmq } from './latency-rabbitmq.ts'
import { memory } from './memory.ts'
import { million } from './million.ts'
import { nomadList } from './nomad-list.ts'
import { nomadTasks } from './nomad-tasks.ts'
import { nomadWatch } from './nomad-watch.ts'
import { swarmLatency } from './swarm-latency.ts'
import { swarmThroughput } from './swarm-throughput.ts'
import { swarmWatch } from './swarm-watch.ts'
import { flat, table } from './table.ts'
import { throughput } from './throughput.ts'
import { Workbench } from './workbench.ts'

/**
 * What the daemon does on this machine, each figure beside what the machine itself does in the same
 * run. Nothing here passes or fails: the table says where a goal is met.
 */
const ROWS = {
  accept,
  'accept-rabbitmq': acceptRabbitmq,
  latency,
  'latency-rabbitmq': latencyRabbitmq,
  throughput,
  memory,
  idle,
  million,
  'swarm-latency': swarmLatency,
  'swarm-throughput': swarmThroughput,
  'swarm-watch': swarmWatch,
  'nomad-tasks': nomadTasks,
  'nomad-watch': nomadWatch,
  'nomad-list': nomadList,
}
type RowName = keyof typeof ROWS
const NAMES = Object.keys(ROWS) as RowName[]

const args = await yargs(hideBin(process.argv))
  .scriptName('bench')
  .strict()
  .option('json', { type: 'boolean', default: false, describe: 'One flat object of figures' })
  .option('only', { choices: NAMES, array: true, describe: 'These rows alone' })
  .option('rows', {
    type: 'number',
    default: 1_000_000,
    describe: 'Finished tasks in the store of `million`',
  })
  .option('idle-seconds', {
    type: 'number',
    default: 60,
    describe: 'How long `idle` measures, and `swarm-watch` at least',
  })
  .option('swarm-running', {
    type: 'number',
    default: 200,
    describe: 'Tasks that run in `swarm-watch`',
  })
  .option('swarm-finished', {
    type: 'number',
    default: 1_000,
    describe: 'Finished tasks whose services are kept in `swarm-watch`',
  })
  .parseAsync()

const say = (text: string) => process.stderr.write(`${text}\n`)
const options = {
  rows: args.rows,
  idleMs: args.idleSeconds * 1000,
  swarmRunning: args.swarmRunning,
  swarmFinished: args.swarmFinished,
}
await using bench = new Workbench(options, say)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void bench[Symbol.asyncDispose]().finally(() => process.exit(130))
  })
}

const figures: Figure[] = []
for (const name of args.only ?? NAMES) {
  const begun = performance.now()
  say(`${name} …`)
  figures.push(...(await ROWS[name](bench)))
  say(`${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s`)
}
console.log(args.json ? JSON.stringify(flat(figures), undefined, 2) : table(figures))
