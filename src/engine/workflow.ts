import {
  type MessageWorkflowMapping,
  type Persistence,
  Workflow,
  type WorkflowMapper,
  WorkflowState,
  WorkflowStatus,
} from '@node-ts/bus-core'
import type { Message, MessageAttributes } from '@node-ts/bus-messages'
import { TaskExited } from '../core/messages.ts'
import type { TaskStore } from '../ports/task-store.ts'
import type { Decider } from './decider.ts'

/** What bus-core is shown of a task: the task table is the workflow's state, and only the decider writes it. */
export class TaskWorkflowState extends WorkflowState {
  static readonly NAME = 'longhaul/task'
  readonly $name = TaskWorkflowState.NAME
  taskId = ''
}

type TaskExitedMessage = InstanceType<typeof TaskExited>

/**
 * The resiliency workflow: an attempt's exit is decided by the policy of its task type. The exit itself
 * comes from the store, for anyone on the bus may publish a `TaskExited`. The decider makes the
 * transition; `discardWorkflow` keeps bus-core from saving its stale copy afterwards.
 */
export class TaskWorkflow extends Workflow<TaskWorkflowState> {
  readonly #decider: Decider

  constructor(decider: Decider) {
    super()
    this.#decider = decider
  }

  configureWorkflow(mapper: WorkflowMapper<TaskWorkflowState, TaskWorkflow>): void {
    mapper.withState(TaskWorkflowState).when(TaskExited, 'handleTaskExited', {
      lookup: ({ taskId }) => (typeof taskId === 'string' ? taskId : undefined),
      mapsTo: 'taskId',
    })
  }

  async handleTaskExited({ taskId, attempt }: TaskExitedMessage) {
    await this.#decider.decide(taskId, attempt)
    return this.discardWorkflow()
  }
}

/** bus-core's persistence over the task table. `startedBy` is never used: tasks are made by the intake. */
export class TaskWorkflowPersistence implements Persistence {
  readonly #tasks: Pick<TaskStore, 'find'>

  constructor(tasks: Pick<TaskStore, 'find'>) {
    this.#tasks = tasks
  }

  prepare(): void {
    // Nothing of bus-core's is needed.
  }

  async initializeWorkflow(): Promise<void> {
    // The task table is the store's.
  }

  /** One state for a task that is known; whether there is anything to decide, the decider says. */
  async getWorkflowState<State extends WorkflowState, M extends Message>(
    _state: unknown,
    mapping: MessageWorkflowMapping<M, State>,
    message: M,
    attributes: MessageAttributes,
  ): Promise<State[]> {
    const taskId = mapping.lookup(message, attributes)
    const record = taskId === undefined ? undefined : await this.#tasks.find(taskId)
    if (record === undefined) return []
    const state = new TaskWorkflowState()
    state.$workflowId = record.task.uid
    state.$status = WorkflowStatus.Running
    state.$version = record.task.revision
    state.taskId = record.task.id
    return [state as unknown as State]
  }

  saveWorkflowState(): Promise<void> {
    throw new Error('the decider writes the task; bus-core must save nothing')
  }
}
