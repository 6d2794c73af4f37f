import { openProcessScheduler } from '../../../../adapters/scheduler/process/open.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'

// A daemon to be killed: starts the units that it is told of, and says of each that it has.
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const [directory = '', units = '[]'] = process.argv.slice(2)
const adapter = await openProcessScheduler({ directory, installation: 'test', logger: silent })
for (const unit of JSON.parse(units) as UnitSpec[]) {
  await adapter.start(unit, new AbortController().signal)
  process.stdout.write(`${unit.name}\n`)
}
setInterval(ignore, 1000)

function ignore(): void {
  // Nothing to be told.
}
