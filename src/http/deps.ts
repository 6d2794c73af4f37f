import type { TaskType } from '../core/task-type.ts'
import type { Control } from '../engine/control.ts'
import type { Intake } from '../engine/intake.ts'
import type { TaskTypes } from '../engine/task-types.ts'
import type { Clock } from '../ports/clock.ts'
import type { EventLog } from '../ports/event-log.ts'
import type { Logger } from '../ports/logger.ts'
import type { CheckResult, SchedulerAdapter } from '../ports/scheduler-adapter.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { MessageTransport } from '../ports/transport.ts'
import type { Metrics } from './metrics.ts'

export interface HttpDeps {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number }
  /** Needed where the host is not a loopback one; then every call but the health checks must bear it. */
  readonly token?: string
  readonly inputLimitBytes: number
  readonly intake: Intake
  readonly control: Control
  readonly tasks: TaskStore
  readonly events: EventLog
  /** Wakes whoever reads the log; the listener only sets flags. */
  onEvents(listener: () => void): () => void
  readonly taskTypes: TaskTypes
  /** What the configured scheduler cannot honour of a type. */
  warnings(type: TaskType): readonly string[]
  readonly transport: Pick<MessageTransport, 'post' | 'deadLetters'>
  /** Whether a message of this name would be handled here. */
  handles(messageName: string): boolean
  readonly scheduler: Pick<SchedulerAdapter, 'logs'>
  ready(): Promise<readonly CheckResult[]>
  readonly metrics: Metrics
  readonly clock: Clock
  readonly logger: Logger
  readonly version: string
}
