import { jobOf } from '../../../../../adapters/scheduler/nomad/job/job.ts'
import type { DriverName } from '../../../../../adapters/scheduler/nomad/job/settings.ts'
import { parseVersion } from '../../../../../adapters/scheduler/nomad/version.ts'
import { compileTaskType } from '../../../../../src/core/compose/compile.ts'
import type { JsonObject } from '../../../../../src/core/json.ts'
import type { TaskType } from '../../../../../src/core/task-type.ts'
import type { UnitSpec } from '../../../../../src/core/unit.ts'
import { unitNamed } from '../../../../contract/scheduler-adapter.ts'

const TOP = {
  secrets: {
    key: { external: true },
    other: { name: 'other-v2' },
    older: { external: { name: 'o1' } },
    odd: { name: 'a b' },
  },
  configs: { settings: { external: true } },
  networks: { back: { name: 'backend' }, front: { external: true } },
  volumes: {
    cache: { driver: 'nfs', driver_opts: { o: 'ro' }, labels: { a: 'b' } },
    shared: { external: true, name: 'real' },
    data: {},
    named: { name: 'scratch' },
    typo: { driver_opt: { o: 'ro' } },
    both: { external: true, driver: 'nfs' },
  },
}

/** A task type with this service, `x-task.nomad` and what is declared at the top level. */
export function typeOf(
  service: JsonObject,
  nomad: JsonObject = {},
  task: JsonObject = {},
): TaskType {
  const compose = { services: { t: { ...service, 'x-task': { ...task, nomad } } }, ...TOP }
  return compileTaskType({ name: 't', hash: 'h', directory: '/d', compose }, {})
}

/** What a driver cannot do without. */
export const LEAST: Readonly<Record<DriverName, JsonObject>> = {
  docker: { image: 'i' },
  podman: { image: 'i' },
  exec: { command: ['run'] },
  raw_exec: { command: ['run'] },
}

/** The job of a service under a driver; a release's where its version is given. */
export function jobFor(
  driver: DriverName,
  service: JsonObject = {},
  options: { nomad?: JsonObject; version?: string; unit?: Partial<UnitSpec> } = {},
): JsonObject {
  const { nomad = {}, version, unit = {} } = options
  const type = typeOf({ ...LEAST[driver], ...service }, { driver, ...nomad })
  const known = version === undefined ? undefined : parseVersion(version)
  return jobOf(unitNamed('lh-t-1', type.service, unit), {
    ...(known !== undefined && { version: known }),
  })
}
