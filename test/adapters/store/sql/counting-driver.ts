import type { Driver } from '../../../../adapters/store/sql/driver.ts'
import type { Row, Statement, Transaction } from '../../../../adapters/store/sql/statement.ts'

/** Passes everything on, counts the rows that come back and keeps what was asked. */
export function counting(driver: Driver) {
  const seen = { rows: 0, statements: [] as Statement[] }
  function* watched<T>(transaction: () => Transaction<T>): Transaction<T> {
    const inner = transaction()
    let step = inner.next()
    while (!step.done) {
      const rows: readonly Row[] = yield step.value
      seen.rows += rows.length
      seen.statements.push(step.value)
      step = inner.next(rows)
    }
    return step.value
  }
  const wrapped: Driver = {
    read: (transaction) => driver.read(() => watched(transaction)),
    write: (transaction, effects) => driver.write(() => watched(transaction), effects),
    onWrite: (topic, listener) => driver.onWrite(topic, listener),
    wake: (topic, when) => {
      driver.wake(topic, when)
    },
    [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
  }
  return { wrapped, seen }
}
