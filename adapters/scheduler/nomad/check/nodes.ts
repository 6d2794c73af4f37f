import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import type { NodeView } from '../views.ts'

/** What could run something, and by which drivers. */
export function nodesResult(nodes: ReadonlyMap<string, NodeView>): CheckResult {
  const name = 'nodes'
  const ready = readyNodes([...nodes.values()])
  const drivers = Map.groupBy(
    ready.flatMap((node) => driversOf(node)),
    (driver) => driver,
  )
  const told = [...drivers]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([driver, { length }]) => `${driver} on ${length}`)
  if (ready.length > 0) {
    const message = `${ready.length} of ${nodes.size} are ready and eligible: ${told.join(', ') || 'none with a driver that works'}`
    const ok = told.length > 0
    return { name, ok, message, ...(!ok && { remedy: NO_DRIVER }) }
  }
  const [message, remedy] =
    nodes.size === 0
      ? ['no node is to be seen', 'has a client joined, and may the token `node:read`?']
      : [
          `of ${nodes.size} nodes none is ready and eligible`,
          '`nomad node status`; `nomad node eligibility -enable NODE`',
        ]
  return { name, ok: false, message, remedy }
}

const NO_DRIVER = '`nomad node status -verbose NODE` says of each driver why it does not work'

export function readyNodes(nodes: readonly NodeView[]): readonly NodeView[] {
  return nodes.filter(
    ({ Status, SchedulingEligibility }) =>
      Status === 'ready' && SchedulingEligibility === 'eligible',
  )
}

/** The drivers that a node could start something with now. */
export function driversOf({ Drivers }: NodeView): readonly string[] {
  return Object.entries(Drivers ?? {}).flatMap(([name, { Detected, Healthy }]) =>
    Detected === true && Healthy === true ? [name] : [],
  )
}
