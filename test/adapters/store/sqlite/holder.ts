/**
 * A process of its own for the tests of open.test.ts and crash.test.ts: opens the file and, given
 * `write`, accepts and changes tasks for ever, naming each on its output once it is acknowledged.
 */
import { openSqliteStore } from '../../../../adapters/store/sqlite/open.ts'
import {
  changeOf,
  DEFINITION,
  ManualClock,
  newAttempt,
  newEvent,
  newTask,
  QuietLogger,
} from '../../../support/store.ts'

const [, , file = '', mode, prefix = ''] = process.argv
const clock = new ManualClock()
const store = await openSqliteStore({ file, clock, logger: new QuietLogger() })
process.stdout.write('open\n')
if (mode === 'write') {
  let count = 0
  const writer = async () => {
    for (;;) {
      const id = `${prefix}${(count += 1)}`
      const { record } = await store.tasks.accept(newTask(clock, id), DEFINITION, [
        newEvent(clock, `accepted-${id}`, { taskId: `encode/${id}` }),
      ])
      process.stdout.write(`accepted ${id}\n`)
      await store.tasks.apply(
        changeOf(
          record,
          { state: 'starting', attempt: 1 },
          {
            attempts: [newAttempt(clock, 1)],
            events: [newEvent(clock, `started-${id}`, { taskId: `encode/${id}` })],
            commandId: `command-${id}`,
          },
        ),
      )
      process.stdout.write(`started ${id}\n`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, writer))
} else {
  setInterval(() => undefined, 60_000)
}
