import { Unavailable } from '../../../src/core/errors.ts'
import { isDown } from './sight.ts'
import type { NodeView, TaskView } from './views.ts'
import { Wake } from '../wake.ts'

const LOOK_MS = 100
/** The swarm makes the task of a service up to so long after the service. */
const TASK_MADE_MS = 1_000

/**
 * Removes a service and waits until none of its tasks is left but on nodes that do not answer. The
 * swarm answers a removal before anything has ended, and a service that was hardly made may get its
 * task after that.
 */
export async function removeService(parts: {
  readonly tasks: () => Promise<readonly TaskView[]>
  readonly nodes: () => Promise<ReadonlyMap<string, NodeView>>
  /** Undefined where the service is gone already. */
  readonly remove: (() => Promise<void>) | undefined
  readonly signal: AbortSignal
}): Promise<void> {
  const { tasks, nodes, remove, signal } = parts
  let mayCome = remove !== undefined && (await tasks()).length === 0
  await remove?.()
  const removedAt = performance.now()
  for (;;) {
    const left = await tasks()
    if (left.length > 0) {
      mayCome = false
      const known = await nodes()
      if (left.every(({ NodeID = '' }) => isAway(NodeID, known))) return
    } else if (!mayCome || performance.now() - removedAt > TASK_MADE_MS) return
    await new Wake().wait(signal, LOOK_MS)
    if (signal.aborted) throw new Unavailable('aborted', 'the call was given up', signal.reason)
  }
}

/** A task that has no node yet is the manager's own to end. */
function isAway(nodeId: string, nodes: ReadonlyMap<string, NodeView>): boolean {
  return nodeId !== '' && (!nodes.has(nodeId) || isDown(nodes.get(nodeId)))
}
