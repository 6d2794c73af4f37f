import { errorMessage } from '../../../../src/core/errors.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import { openControlWatch } from './control-watch.ts'

/**
 * Whether the control socket can be watched by. A daemon without it is well: it only hears of things
 * later. So that is told, and is no fault.
 */
export async function checkControl(
  path: string,
  installation: string,
  signal: AbortSignal,
): Promise<CheckResult> {
  const name = 'control-socket'
  try {
    const watch = await openControlWatch({ path, installation, tell: () => undefined, signal })
    watch.end()
    await watch.ended
    return { name, ok: true, message: 'tasks are heard of as they change' }
  } catch (error) {
    const message = `${errorMessage(error)}; tasks are listed every second instead`
    return { name, ok: true, message, remedy: REMEDY }
  }
}

const REMEDY =
  'mount the folder /run/docker/swarm of a manager (the folder: a dockerd that starts anew makes a new ' +
  'socket) where only root may read it, and name it in `scheduler.control_socket`'
