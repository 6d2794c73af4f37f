import type { JsonObject } from '../../../src/core/json.ts'
import { nanoseconds } from './objects.ts'

/** How a program has ended, as its driver says. */
export interface ProgramEnd {
  readonly code: number
  readonly signal: number
  readonly message?: string
  readonly oomKilled?: boolean
}

const EMPTY: JsonObject = {
  Details: {},
  DiskLimit: 0,
  DisplayMessage: '',
  DownloadError: '',
  DriverError: '',
  DriverMessage: '',
  ExitCode: 0,
  FailedSibling: '',
  FailsTask: false,
  GenericSource: '',
  KillError: '',
  KillReason: '',
  KillTimeout: 0,
  Message: '',
  RestartReason: '',
  SetupError: '',
  Signal: 0,
  StartDelay: 0,
  TaskSignal: '',
  TaskSignalReason: '',
  ValidationError: '',
  VaultError: '',
}

function event(Type: string, more: JsonObject): JsonObject {
  return { ...EMPTY, Type, Time: nanoseconds(), ...more }
}

export const taskEvent = {
  received: () => event('Received', { DisplayMessage: 'Task received by client' }),
  setUp() {
    const Message = 'Building Task Directory'
    return event('Task Setup', { Message, DisplayMessage: Message, Details: { message: Message } })
  },
  pulling(image: string) {
    const DriverMessage = 'Downloading image'
    return event('Driver', { DriverMessage, DisplayMessage: DriverMessage, Details: { image } })
  },
  started: () => event('Started', { DisplayMessage: 'Task started by client' }),
  driverFailed(DriverError: string) {
    const Details = { driver_error: DriverError }
    return event('Driver Failure', { DriverError, DisplayMessage: DriverError, Details })
  },
  invalid(ValidationError: string) {
    const Details = { validation_error: ValidationError }
    return event('Failed Validation', { ValidationError, DisplayMessage: ValidationError, Details })
  },
  terminated({ code, signal, message = '', oomKilled = false }: ProgramEnd) {
    return event('Terminated', {
      ExitCode: code,
      Signal: signal,
      Message: message,
      DisplayMessage: [
        `Exit Code: ${code}`,
        ...(signal > 0 ? [`Signal: ${signal}`] : []),
        ...(message === '' ? [] : [`Exit Message: "${message}"`]),
      ].join(', '),
      Details: {
        exit_code: String(code),
        signal: String(signal),
        oom_killed: String(oomKilled),
        ...(message !== '' && { exit_message: message }),
      },
    })
  },
  notRestarting() {
    const RestartReason = 'Policy allows no restarts'
    return event('Not Restarting', {
      RestartReason,
      DisplayMessage: RestartReason,
      FailsTask: true,
      Details: { restart_reason: RestartReason, fails_task: 'true' },
    })
  },
  killing(KillTimeout: number) {
    const kill_timeout = `${KillTimeout / 1e9}s`
    return event('Killing', {
      KillTimeout,
      DisplayMessage: `Sent interrupt. Waiting ${kill_timeout} before force killing`,
      Details: { kill_timeout },
    })
  },
  killed: () => event('Killed', { DisplayMessage: 'Task successfully killed' }),
  reconnected: () => event('Reconnected', { DisplayMessage: 'Client reconnected' }),
  restoreFailed() {
    const DisplayMessage = 'failed to restore task; will not run until server is contacted'
    return event('Failed Restoring Task', { DisplayMessage })
  },
} as const
