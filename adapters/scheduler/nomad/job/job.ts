import { Rejected } from '../../../../src/core/errors.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import type { UnitSpec } from '../../../../src/core/unit.ts'
import { metaOf } from '../identity.ts'
import { DOCKER } from './docker.ts'
import { EXEC, RAW_EXEC } from './exec.ts'
import { configurationLiteral, LITERAL_META, needsLiteralMeta } from './literal.ts'
import { type Placed, type Subject, together, type Translations } from './placed.ts'
import { PODMAN } from './podman.ts'
import { programOf } from './program.ts'
import { shareOf } from './resources.ts'
import { type DriverName, type NomadSettings, SETTINGS_PATH, settingsOf } from './settings.ts'
import { has, needs, type NomadFacts, type Path, Unhonoured } from './unhonoured.ts'
import { present } from './values.ts'

export const TRANSLATIONS: Readonly<Record<DriverName, Translations>> = {
  docker: DOCKER,
  podman: PODMAN,
  exec: EXEC,
  raw_exec: RAW_EXEC,
}

/** So long that the engine's own `on_node_lost` decides. */
const NEVER_LOST_NS = 365 * 24 * 3_600_000_000_000
const MIB = 1024 * 1024

/**
 * A unit as Nomad is asked for it: a batch job with one allocation of one task, which is to be registered
 * only where there is none of its id. It is neither started again nor placed anew where that can be
 * helped: a node that does not answer keeps its allocation (`Disconnect`), else Nomad replaces it
 * whatever the policies say (scheduler/reconciler).
 *
 * `Rejected` for what no Nomad, or not this one, can do.
 */
export function jobOf(unit: UnitSpec, facts: NomadFacts): JsonObject {
  const settings = settingsOf(unit.service)
  const placed = together(stepsOf(unit, settings, facts).map(({ translate }) => translate()))
  const config = configurationLiteral(placed.config, ['command'])
  const task = {
    Name: 'main',
    Driver: settings.driver,
    Config: config,
    ...placed.task,
  }
  const literal = needsLiteralMeta(config, placed.task)
  return {
    ID: unit.name,
    Name: unit.name,
    Type: 'batch',
    ...placed.job,
    Meta: { ...(placed.job['Meta'] as JsonObject | undefined), ...metaOf(unit) },
    TaskGroups: [
      {
        Name: 'attempt',
        Count: 1,
        RestartPolicy: { Attempts: 0, Mode: 'fail', Interval: 5e9, Delay: 1e9 },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        ...placed.group,
        Tasks: [literal ? { ...task, Meta: LITERAL_META } : task],
      },
    ],
  }
}

/** Everything of the unit's service that cannot be honoured, each at its place below the service. */
export function unhonouredOf(
  unit: UnitSpec,
  facts: NomadFacts,
): readonly { readonly path: Path; readonly message: string }[] {
  const problems: { readonly path: Path; readonly message: string }[] = []
  const attempt = <T>(path: Path, work: () => T): T | undefined => {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      problems.push({
        path: error instanceof Unhonoured ? error.path : path,
        message: error.message,
      })
      return undefined
    }
  }
  const settings = attempt(SETTINGS_PATH, () => settingsOf(unit.service))
  if (settings === undefined) return problems
  for (const { path, translate } of stepsOf(unit, settings, facts)) {
    attempt(path, () => configurationLiteral(translate().config ?? {}, path))
  }
  return problems
}

interface Step {
  readonly path: Path
  readonly translate: () => Placed
}

function stepsOf(unit: UnitSpec, settings: NomadSettings, facts: NomadFacts): readonly Step[] {
  const { service } = unit
  const subject = (path: Path): Subject => ({ path, unit, settings, facts })
  const translations = TRANSLATIONS[settings.driver]
  return [
    { path: [], translate: () => programOf(service, settings.driver) },
    { path: SETTINGS_PATH, translate: () => placeOf(settings, facts) },
    { path: SETTINGS_PATH, translate: () => disconnectOf(facts) },
    { path: SETTINGS_PATH, translate: () => shareOf({ settings }) },
    ...writtenKeys(service).map(([key, path, value]) => {
      const translate = translations[key]
      return {
        path,
        translate: () => {
          if (translate === undefined) throw new Unhonoured(path, 'Nomad has nothing of the kind')
          return translate(value, subject(path))
        },
      }
    }),
  ]
}

/** Keys of the service, those of `deploy` one by one; null and `x-…` say nothing. */
function writtenKeys({ compose }: Service): readonly (readonly [string, Path, Json])[] {
  const { deploy, ...rest } = compose
  const ofDeploy = isJsonObject(deploy) ? Object.entries(deploy) : []
  return [
    ...Object.entries(rest).map(([key, value]) => [key, [key], value] as const),
    ...ofDeploy.map(([key, value]) => [`deploy.${key}`, ['deploy', key], value] as const),
  ].filter(([, path, value]) => value !== null && path.at(-1)?.startsWith('x-') !== true)
}

function placeOf(settings: NomadSettings, facts: NomadFacts): Placed {
  const { datacenters, nodePool, priority, constraints, diskBytes } = settings
  if (datacenters === undefined && !has(facts, [1, 5, 0])) {
    throw new Unhonoured(
      [...SETTINGS_PATH, 'datacenters'],
      'must be written for a Nomad older than 1.5, which has no word for all of them',
    )
  }
  if (nodePool !== undefined) needs(facts, [1, 6, 0], [...SETTINGS_PATH, 'node_pool'])
  return {
    job: present({
      Datacenters: datacenters ?? ['*'],
      NodePool: nodePool,
      Priority: priority,
      Constraints: constraints.length === 0 ? undefined : constraints,
    }),
    ...(diskBytes !== undefined && {
      group: { EphemeralDisk: { SizeMB: Math.ceil(diskBytes / MIB) } },
    }),
  }
}

/** What a node that does not answer is to be borne for, in the words of the release. */
function disconnectOf(facts: NomadFacts): Placed {
  if (has(facts, [1, 8, 0])) {
    const Disconnect = { LostAfter: NEVER_LOST_NS, Replace: false, Reconcile: 'keep_original' }
    return { group: { Disconnect } }
  }
  needs(facts, [1, 3, 0], [])
  return { group: { MaxClientDisconnect: NEVER_LOST_NS } }
}
