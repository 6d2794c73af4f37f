import { declareOnce } from '../../adapters/transport/rabbitmq/declare-once.ts'
import type { Topology } from '../../adapters/transport/rabbitmq/topology.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import type { TaskType } from '../core/task-type.ts'
import { brokerTarget } from './broker-target.ts'
import { receivedNames, sentNames } from './message-names.ts'
import { orConfigError } from './or-config-error.ts'
import { systemClock } from './system-clock.ts'

/** What is to be done about a broker that refuses what the daemon's file asks for. */
const REMEDIES: Readonly<Record<string, string>> = {
  'bad-bus-url': 'see `bus.url`',
  'bus-login': 'see `bus.url` and `bus.password_file`',
  'topology-refused':
    'empty and delete what is there, or say what it is (`bus.queue_type`), or take other names (`bus.queue`)',
  'topology-forbidden':
    'run `longhaul topology` as a user who may configure the virtual host; the daemon’s own need not',
}

/**
 * Declares on the broker whatever a daemon with these task types would declare there, and says what that
 * is; undefined where there is no broker. What is there already stays as it is. `ConfigError` where the
 * broker refuses, `Unavailable` where it does not answer.
 */
export async function declareTopology(
  { bus, file }: DaemonConfig,
  types: readonly TaskType[],
): Promise<Topology | undefined> {
  if (bus.kind === 'embedded') return undefined
  const names = { receives: receivedNames(types), publishes: sentNames(types) }
  const broker = await brokerTarget(file, bus)
  return await orConfigError({ file, key: 'bus', remedies: REMEDIES }, () =>
    declareOnce({ ...broker, clock: systemClock }, names),
  )
}
