import { setTimeout as pause } from 'node:timers/promises'
import { FakeNomad } from '../support/fake-nomad/fake-nomad.ts'
import { taskOf } from '../support/fake-nomad/objects.ts'
import type { NomadOrder, NomadWord } from './nomad.ts'

/**
 * A fake Nomad as a process of its own: `nomad-program.ts`, told by its parent what is to happen. Tasks
 * whose command is `true` succeed at once, all others run until they are stopped; no process is started.
 */
const nomad = await FakeNomad.start({
  // Not what a real client takes: that is waited for, and costs nobody anything.
  reportMs: 5,
  room: { cpuMhz: Infinity, memoryMb: Infinity },
  script: ({ Job: job }) =>
    taskOf(job).Config?.['command'] === 'true' ? { ends: { code: 0, signal: 0 } } : {},
})

const say = (word: NomadWord) => process.send?.(word)

/** A client that reports what was known: the servers write it down, and tell everybody. */
async function tell({ count, perSecond }: NomadOrder & { readonly does: 'tell' }): Promise<void> {
  const living = [...nomad.state.allocations.values()].filter(
    ({ ClientStatus }) => ClientStatus === 'running',
  )
  const begun = performance.now()
  for (let n = 0; n < count; n += 1) {
    const { ID = '' } = living[n % living.length] ?? {}
    const allocation = nomad.state.allocations.get(ID)
    if (allocation === undefined) throw new Error('nothing runs that could be told of')
    nomad.state.commit('AllocationUpdated', (tx) => {
      tx.allocation(allocation)
    })
    const dueMs = perSecond === undefined ? 0 : ((n + 1) / perSecond) * 1000
    const earlyMs = begun + dueMs - performance.now()
    if (earlyMs > 0) await pause(earlyMs)
  }
}

process.on('message', (order: NomadOrder) => {
  switch (order.does) {
    case 'tell':
      void tell(order).then(() => say({ told: order.count }))
      break
    case 'end':
      for (const allocation of nomad.allocationsOf(order.job)) {
        nomad.end(allocation, { code: 0, signal: 0 })
      }
      say({ told: 0 })
      break
  }
})
process.on('disconnect', () => {
  process.exit(0)
})
say({ address: nomad.address })
