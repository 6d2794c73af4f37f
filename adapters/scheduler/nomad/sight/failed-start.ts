import type { ExitReason, ObservedExit } from '../../../../src/core/exit.ts'
import { eventsOf } from './task-end.ts'
import type { AllocationView, TaskEventView, TaskStateView } from '../views.ts'

/**
 * Why an allocation has failed whose program was never seen to end, by the last event that says so.
 * The types of events are those of nomad/structs (`TaskDriverFailure` and others).
 */
export function failedStartOf(
  allocation: AllocationView,
  state: TaskStateView | undefined,
): ObservedExit {
  for (const event of eventsOf(state).toReversed()) {
    const found = reasonOf(event)
    if (found !== undefined) return because(found, wordOf(event))
  }
  const { ClientDescription = '' } = allocation
  if (ClientDescription.startsWith('Unable to add allocation')) {
    return because('interrupted', ClientDescription)
  }
  if (eventsOf(state).some(({ Type }) => Type === 'Started')) {
    return because('interrupted', 'its driver lost sight of it: how it ended is not known')
  }
  return because('lost', 'Nomad does not say how it ended', ClientDescription)
}

function reasonOf(event: TaskEventView): ExitReason | undefined {
  switch (event.Type) {
    case 'Driver Failure':
      return driverFailure(wordOf(event))
    case 'Failed Validation':
      return 'rejected'
    case 'Failed Artifact Download':
      return 'start-failed'
    case 'Killing':
      // A template that cannot be rendered (client/allocrunner/taskrunner/template).
      return event.FailsTask === true || event.DisplayMessage?.startsWith('Template') === true
        ? 'start-failed'
        : undefined
    case 'Setup Failure':
    case 'Task hook failed':
      // What a node does before the driver: networks, volumes, folders, logs.
      return 'interrupted'
    default:
      return undefined
  }
}

/**
 * What they say, of whatever they were about, when what they start containers with or a registry does not
 * answer, or the node's disk is full. A registry whose name nobody knows is a mistake in the image's name.
 */
const NOT_ITS_DOING =
  /no space left on device|cannot connect to the docker daemon|connection (refused|reset)|i\/o timeout|client\.timeout|TLS handshake timeout|network is unreachable|no route to host|context deadline exceeded|toomanyrequests|code = Unavailable|plugin is shut ?down/i

/** What drivers say when an image cannot be had (drivers/docker, nomad-driver-podman). */
const IMAGE =
  /failed to (pull|load|create) image|failed to pull|unable to pull|docker auth|image does not exist|no such image|invalid image/i

/** What they say of a configuration that they will never take. */
const CONFIGURATION =
  /container configuration|create container|driver config|failed to (decode|parse)|validation|not (enabled|allowed|supported)|is disabled|unsupported|invalid|not found, (check|verify)/i

/** What they say when what they start containers with is away. */
const DRIVER_AWAY =
  /docker daemon|docker client|docker logger|create executor|deadline exceeded|timeout/i

function driverFailure(message: string): ExitReason {
  if (NOT_ITS_DOING.test(message)) return 'interrupted'
  if (IMAGE.test(message)) return 'image-unavailable'
  if (/start container|launch command/i.test(message)) return 'start-failed'
  if (DRIVER_AWAY.test(message)) return 'interrupted'
  if (CONFIGURATION.test(message)) return 'rejected'
  return 'start-failed'
}

function wordOf(event: TaskEventView): string {
  const details = event.Details ?? {}
  const said = [
    details['driver_error'],
    event.DriverError,
    details['validation_error'],
    event.ValidationError,
    details['download_error'],
    event.DownloadError,
    details['setup_error'],
    event.SetupError,
    event.DisplayMessage,
    event.Message,
  ]
  return said.find((text) => text !== undefined && text !== '') ?? event.Type
}

export function because(reason: ExitReason, ...texts: readonly string[]): ObservedExit {
  const message = texts.filter((text) => text !== '').join(': ')
  return { reason, ...(message !== '' && { message }) }
}
