import type { Store } from '../../src/ports/store.ts'
import { ManualClock } from '../support/store.ts'
import { eventLogContract } from './store-events.ts'
import { leadershipContract } from './store-leadership.ts'
import { messageTableContract } from './store-messages.ts'
import { queueContract } from './store-queue.ts'
import { taskContract } from './store-tasks.ts'
import { upkeepContract } from './store-upkeep.ts'

/** A fresh, empty store on the clock given. */
export type OpenStore = (clock: ManualClock) => Promise<Store>

/** What a suite is given anew for each test. */
export interface StoreCase {
  readonly store: Store
  readonly clock: ManualClock
}

/** Everything that src/ports says of a store. */
export function storeContract(name: string, open: OpenStore): void {
  describe(`${name} keeps the contract of the store`, () => {
    let store: Store
    let clock: ManualClock
    const given = (): StoreCase => ({ store, clock })

    beforeEach(async () => {
      clock = new ManualClock()
      store = await open(clock)
    })
    afterEach(() => store[Symbol.asyncDispose]())

    taskContract(given)
    queueContract(given)
    upkeepContract(given)
    eventLogContract(given)
    messageTableContract(given)
    leadershipContract(given)
  })
}
