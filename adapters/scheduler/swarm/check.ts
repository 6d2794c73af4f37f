import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'
import type { EngineApi } from './engine-api.ts'

/** Ulimits, capabilities and the number of processes came with it: an older engine drops them without a word. */
const LEAST_API = 41
const OLDEST = 'Docker 20.10 or newer is needed'

export interface Info {
  readonly Swarm?: {
    readonly LocalNodeState?: string
    readonly ControlAvailable?: boolean
    readonly Nodes?: number
    readonly Managers?: number
    readonly Cluster?: {
      readonly ID?: string
      readonly Spec?: { readonly Orchestration?: { readonly TaskHistoryRetentionLimit?: number } }
    }
  }
}

/** Whether this swarm can be used, one line for each thing that it takes. */
export async function checkSwarm(
  engine: EngineApi,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  try {
    const version = await engine.read<{ Version: string; ApiVersion: string }>('/version', signal)
    const info = await engine.read<Info>('/info', signal)
    return [versionResult(version), managerResult(info), historyResult(info)]
  } catch (error) {
    return [
      {
        name: 'swarm',
        ok: false,
        message: errorMessage(error),
        remedy:
          'is `scheduler.socket` the Docker socket of a manager, and may this process use it?',
      },
    ]
  }
}

/** The minor of the engine's API. `Unavailable` where that is older than is needed: nothing may be started there. */
export function usableApi(version: string): number {
  const minor = apiMinor(version)
  if (minor >= LEAST_API) return minor
  throw new Unavailable('engine-version', `the engine speaks API ${version}: ${OLDEST}`)
}

/** The minor of `1.41`. */
function apiMinor(version: string): number {
  const [major, minor] = version.split('.').map(Number)
  return major === 1 && minor !== undefined && Number.isInteger(minor) ? minor : 0
}

function versionResult({
  Version,
  ApiVersion,
}: {
  readonly Version: string
  readonly ApiVersion: string
}): CheckResult {
  const ok = apiMinor(ApiVersion) >= LEAST_API
  return {
    name: 'docker',
    ok,
    message: `Docker ${Version}, API ${ApiVersion}`,
    ...(!ok && { remedy: OLDEST }),
  }
}

function managerResult({ Swarm }: Info): CheckResult {
  const {
    LocalNodeState = 'inactive',
    ControlAvailable = false,
    Nodes = 0,
    Managers = 0,
  } = Swarm ?? {}
  if (ControlAvailable) {
    const message = `a manager of ${Managers}, ${Nodes} nodes in all`
    return { name: 'swarm', ok: true, message }
  }
  const active = LocalNodeState === 'active'
  return {
    name: 'swarm',
    ok: false,
    message: active ? 'this node is a worker' : `the swarm of this node is ${LocalNodeState}`,
    remedy: active
      ? 'run the daemon on a manager, or point `scheduler.socket` at one'
      : 'docker swarm init, or docker swarm join --token TOKEN MANAGER as a manager',
  }
}

/** With a limit of 0 a task that ended at once might be forgotten, and its service run anew. */
function historyResult({ Swarm }: Info): CheckResult {
  const limit = Swarm?.Cluster?.Spec?.Orchestration?.TaskHistoryRetentionLimit
  const ok = limit === undefined || limit >= 1
  return {
    name: 'swarm-history',
    ok,
    message: limit === undefined ? 'the limit is not told' : `the last ${limit} tasks are kept`,
    ...(!ok && { remedy: 'docker swarm update --task-history-limit 5' }),
  }
}
