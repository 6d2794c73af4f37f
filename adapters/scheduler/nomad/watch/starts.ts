import { taskStateOf } from '../sight/task-end.ts'
import type { AllocationView } from '../views.ts'

/** When the task of each allocation was first known to have started, and whether it has since once more. */
export class Starts {
  readonly #known = new Map<string, { readonly ms: number; again: boolean }>()

  take(allocation: AllocationView): void {
    const ms = Date.parse(taskStateOf(allocation)?.StartedAt ?? '')
    if (Number.isNaN(ms)) return
    const known = this.#known.get(allocation.ID)
    if (known === undefined) this.#known.set(allocation.ID, { ms, again: false })
    // What comes late tells of the first start once more.
    else if (ms > known.ms) known.again = true
  }

  wasAgain(allocation: string): boolean {
    return this.#known.get(allocation)?.again === true
  }

  keepOnly(allocations: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!allocations.has(id)) this.#known.delete(id)
  }
}
