import { Unavailable } from '../../../../src/core/errors.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import type { SchedulerExamination } from '../../../../src/ports/scheduler-examination.ts'
import { checkNomad } from './check.ts'
import { nodesResult } from './nodes.ts'
import { lackingOf } from './lacking.ts'
import { checkEvents } from './events.ts'
import { checkPermissions, LOGS } from './permissions.ts'
import { type NomadApi, nomadApi } from '../client/nomad-api.ts'
import { type NomadSettings, targetOf } from '../client/target.ts'
import { Nodes } from '../nodes.ts'

/**
 * Looks at a Nomad by the same address and token as a daemon would, and registers, changes and removes
 * nothing. `Rejected` for an address that cannot be one.
 */
export function examineNomad(options: {
  readonly settings: NomadSettings
  readonly env: NodeJS.ProcessEnv
}): SchedulerExamination {
  const target = targetOf(options.settings, options.env)
  return {
    async check(signal) {
      await using api = nomadApi(target)
      const results = await checkNomad(api, signal)
      const answers = results.every(({ name, ok }) => ok || name !== 'nomad-leader')
      return [...results, ...(answers ? await closerLook(api, signal) : [])]
    },
    async lacking(types, signal) {
      await using api = nomadApi(target)
      return await lackingOf(api, types, signal)
    },
  }
}

/** Each look by itself: what one has found is told whatever comes of the next. */
async function closerLook(api: NomadApi, signal: AbortSignal): Promise<readonly CheckResult[]> {
  return [
    ...(await unlessUnavailable('permissions', () => checkPermissions(api, signal))),
    ...(await unlessUnavailable('events', async () => [await checkEvents(api, signal)])),
    ...(await unlessUnavailable('nodes', async () => [
      nodesResult(await new Nodes(api).read(signal)),
    ])),
  ]
}

async function unlessUnavailable(
  name: string,
  look: () => Promise<readonly CheckResult[]>,
): Promise<readonly CheckResult[]> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return [{ name, ok: false, message: error.message, remedy: LOGS }]
  }
}
