import { member } from '../../../src/core/json.ts'
import type { Service, TaskType } from '../../../src/core/task-type.ts'
import type { UnitSpec } from '../../../src/core/unit.ts'
import type { SchedulerRefusal } from '../../../src/ports/scheduler-adapter.ts'
import { declarationWarnings, defaultNetworkWarnings } from './declaration-warnings.ts'
import { unhonouredOf } from './job/job.ts'
import { looksFilledIn } from './job/literal.ts'
import { mountsIn } from './job/mount-form.ts'
import { type NomadSettings, settingsOf } from './job/settings.ts'
import { resourceWarnings } from './resource-warnings.ts'

/** What a client cuts a grace at, unless it is told otherwise (`max_kill_timeout`). */
const LONGEST_GRACE_MS = 30_000

/** What no Nomad, or not by this driver, can honour of a task type. */
export function refusalsOf(type: TaskType): readonly SchedulerRefusal[] {
  return unhonouredOf(sampleOf(type), {})
}

/** What a task type expects of the nodes, and what it is given otherwise than it may seem. */
export function warningsOf(type: TaskType): readonly string[] {
  // What cannot be read is refused, and everything else is said once it can be.
  if (refusalsOf(type).length > 0) return []
  const { service } = type
  const settings = settingsOf(service)
  return [
    ...imageWarnings(service, settings),
    ...resourceWarnings(service, settings),
    ...graceWarnings(service),
    ...pluginNeeds(service, settings),
    ...environmentWarnings(service),
    ...declarationWarnings({ unit: sampleOf(type), settings, facts: {} }),
    ...defaultNetworkWarnings(service),
  ]
}

function imageWarnings({ compose }: Service, { driver }: NomadSettings): readonly string[] {
  if (driver === 'docker' || driver === 'podman') return []
  return ['image', 'pull_policy'].flatMap((key) =>
    compose[key] === undefined
      ? []
      : [`${key} is passed over: the driver ${driver} runs what is installed on the node`],
  )
}

function graceWarnings({ stopGraceMs }: Service): readonly string[] {
  return stopGraceMs > LONGEST_GRACE_MS
    ? [
        'stop_grace_period: a client of Nomad cuts it at 30s, unless its `max_kill_timeout` is longer',
      ]
    : []
}

/** What the docker and podman drivers do only where their configuration on the node allows it. */
function pluginNeeds({ compose }: Service, settings: NomadSettings): readonly string[] {
  const { driver } = settings
  if (driver !== 'docker' && driver !== 'podman') return []
  const plugin = `the configuration of the ${driver} driver on the nodes`
  const folders = mountsIn(compose['volumes'] ?? null, ['volumes']).some(
    ({ type, source }) =>
      type === 'bind' ||
      (type === 'volume' && member(settings.volumes, source ?? '') === undefined),
  )
  const host = ['ipc', 'pid', 'userns_mode', 'uts'].filter((key) => compose[key] === 'host')
  return [
    ...(folders ? [`volumes need \`volumes { enabled = true }\` in ${plugin}`] : []),
    ...(driver === 'docker'
      ? host.map((key) => `${key}: host needs \`allow_privileged = true\` in ${plugin}`)
      : []),
  ]
}

function environmentWarnings({ environment }: Service): readonly string[] {
  return Object.entries(environment).flatMap(([name, value]) =>
    looksFilledIn(value)
      ? [
          `environment.${name} is given as it is: Nomad fills in none of its variables, for some values come from a message`,
        ]
      : [],
  )
}

/** A unit of a task that nobody has asked for. */
export function sampleOf({ name, service, directory, keep }: TaskType): UnitSpec {
  return {
    name: `lh-${name}`,
    identity: { installation: '', taskId: '', taskUid: '', taskType: name, run: 1, attempt: 1 },
    service,
    directory,
    logTailBytes: keep.logTailBytes,
  }
}
