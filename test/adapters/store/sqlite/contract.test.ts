import { openMemoryStore } from '../../../support/store.ts'
import { storeContract } from '../../../contract/store.ts'

storeContract('the SQLite store', { open: (clock) => openMemoryStore(clock) })
