import type { Store } from '../../src/ports/store.ts'
import { ManualClock } from '../support/store.ts'
import { eventLogContract } from './store-events.ts'
import { homeContract } from './store-home.ts'
import { leadershipContract } from './store-leadership.ts'
import { messageTableContract } from './store-messages.ts'
import { queueContract } from './store-queue.ts'
import { taskContract } from './store-tasks.ts'
import { upkeepContract } from './store-upkeep.ts'

/** What an implementation gives to the suite. */
export interface StoreImplementation {
  /** A fresh, empty store on the clock given. */
  open(clock: ManualClock): Promise<Store>
  /** Lets time go by for what does not go by that clock. */
  elapse?(ms: number): Promise<void>
}

/** What a suite is given anew for each test. */
export interface StoreCase {
  readonly store: Store
  readonly clock: ManualClock
  /** Lets time go by, for the clock and for whatever else the store goes by. */
  elapse(ms: number): Promise<void>
}

/** Everything that src/ports says of a store. */
export function storeContract(name: string, implementation: StoreImplementation): void {
  describe(`${name} keeps the contract of the store`, () => {
    let store: Store
    let clock: ManualClock
    const given = (): StoreCase => ({
      store,
      clock,
      async elapse(ms) {
        clock.advance(ms)
        await implementation.elapse?.(ms)
      },
    })

    beforeEach(async () => {
      clock = new ManualClock()
      store = await implementation.open(clock)
    })
    afterEach(() => store[Symbol.asyncDispose]())

    taskContract(given)
    queueContract(given)
    upkeepContract(given)
    eventLogContract(given)
    messageTableContract(given)
    leadershipContract(given)
    homeContract(given)
  })
}
