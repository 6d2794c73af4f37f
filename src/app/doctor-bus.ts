import { examineBroker } from '../../adapters/transport/rabbitmq/examine.ts'
import type { DaemonConfig } from '../config/daemon-config.ts'
import { Rejected } from '../core/errors.ts'
import { brokerTarget } from './broker-target.ts'
import { failedFinding, type Finding } from './doctor-finding.ts'
import { systemClock } from './system-clock.ts'

const PART = 'bus'

const REMEDIES: Readonly<Record<string, string>> = {
  'bad-bus-url': 'see `bus.url`',
  'bus-login': 'see `bus.url` and `bus.password_file`, and that the user may use the virtual host',
  'bus-forbidden': 'give the user of `bus.url` its rights: rabbitmqctl set_permissions',
}

export async function doctorBus({ bus, file }: DaemonConfig): Promise<readonly Finding[]> {
  if (bus.kind === 'embedded') {
    const message = 'embedded: its messages are in the store'
    return [{ part: PART, name: 'bus', ok: true, message }]
  }
  try {
    const broker = await brokerTarget(file, bus)
    const { version, queue } = await examineBroker({ ...broker, clock: systemClock })
    const state =
      queue === undefined
        ? `there is no queue ${bus.queue} yet: the first start declares it, or \`longhaul topology\``
        : `the queue ${bus.queue} holds ${queue.messages} messages and has ${queue.consumers} consumers`
    return [
      { part: PART, name: 'rabbitmq', ok: true, message: version },
      { part: PART, name: 'queue', ok: true, message: state },
    ]
  } catch (error) {
    const code = error instanceof Rejected ? error.code : ''
    const remedy = REMEDIES[code] ?? 'is `bus.url` the broker, and can it be reached from here?'
    return [failedFinding(PART, 'rabbitmq', error, remedy)]
  }
}
