import { Unavailable } from '../../../src/core/errors.ts'
import type { CheckResult } from '../../../src/ports/scheduler-adapter.ts'
import type { SchedulerExamination } from '../../../src/ports/scheduler-examination.ts'
import { checkSwarm } from './check.ts'
import { lackingOf } from './check-lacking.ts'
import { checkPermissions } from './check-permissions.ts'
import { checkControl } from './control/check-control.ts'
import { engineApi, type EngineApi } from './engine-api.ts'

/** No installation's: nothing is heard of by it. */
const NOBODYS = 'longhaul-doctor'

/** Looks at a swarm by the same sockets as a daemon would, and makes, changes and removes nothing. */
export function examineSwarm(options: {
  readonly socket: string
  readonly controlSocket?: string
}): SchedulerExamination {
  const { socket, controlSocket } = options
  const engine = engineApi(socket)
  return {
    async check(signal) {
      const results = await checkSwarm(engine, signal)
      const usable = results.every(({ name, ok }) => ok || name !== 'swarm')
      return [
        ...results,
        ...(usable ? [await permissions(engine, signal)] : []),
        await control(controlSocket, signal),
      ]
    },
    async lacking(types, signal) {
      return { lacks: await lackingOf(engine, types, signal), unseen: [] }
    },
    async now(signal) {
      const { SystemTime } = await engine.read<{ SystemTime: string }>('/info', signal)
      return new Date(SystemTime)
    },
  }
}

async function permissions(engine: EngineApi, signal: AbortSignal): Promise<CheckResult> {
  try {
    return await checkPermissions(engine, signal)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return {
      name: 'permissions',
      ok: false,
      message: error.message,
      remedy: 'see the log of dockerd, and of whatever stands before its socket',
    }
  }
}

async function control(path: string | undefined, signal: AbortSignal): Promise<CheckResult> {
  if (path !== undefined) return await checkControl(path, NOBODYS, signal)
  return {
    name: 'control-socket',
    ok: true,
    message: 'none is configured: tasks are listed every second (`scheduler.control_socket`)',
  }
}
