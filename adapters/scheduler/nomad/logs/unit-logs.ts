import type { NomadApi } from '../client/nomad-api.ts'
import { isOver } from '../sight/exit.ts'
import { followOf } from './follow.ts'
import type { Followers } from './followers.ts'
import { hasStarted, outputOf, tailOf } from './logs.ts'
import { pause } from '../pause.ts'
import { allocationsOf, jobPath } from '../remove.ts'
import type { AllocationView, JobView } from '../views.ts'

/** A follower of a unit that does not run yet, or that there is no room for, looks again after so long. */
const LOOK_AGAIN_MS = 500

/** What a unit has written, and with `follow` what it writes until it is over. */
export async function* unitLogs(
  { api, followers }: { readonly api: NomadApi; readonly followers: Followers },
  name: string,
  options: {
    readonly tailBytes?: number
    readonly follow?: boolean
    readonly signal: AbortSignal
  },
): AsyncGenerator<string, void, undefined> {
  const { tailBytes, follow = false, signal } = options
  for (let waited = false; ; waited = true) {
    const allocation = first(await allocationsOf(api, name, signal))
    const over = allocation !== undefined && isOver(allocation)
    if (allocation !== undefined && hasStarted(allocation)) {
      if (!follow || over) {
        if (tailBytes === undefined) yield* outputOf(api, allocation, signal)
        else yield await tailOf(api, allocation, tailBytes, 'logs', signal)
        return
      }
      // Who has waited for the start has been told that there will be something: it waits on.
      if (!waited || !followers.areMost) {
        using _place = followers.enter(signal)
        yield* followOf(api, allocation, tailBytes, signal)
        return
      }
    } else {
      if (!follow || over) return
      const job = await api.find<JobView>(jobPath(name), signal)
      if (job === undefined || job.Status === 'dead') return
    }
    await pause(LOOK_AGAIN_MS, signal)
  }
}

/** The attempt's own: any later one is a copy. */
function first(allocations: readonly AllocationView[]): AllocationView | undefined {
  return allocations.toSorted((a, b) => a.CreateIndex - b.CreateIndex)[0]
}
