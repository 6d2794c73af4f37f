import type { NodeView, TaskView } from '../views.ts'
import { field, fieldsOf, textOf } from './wire.ts'

/**
 * Messages of swarmkit's Watch API, as far as they are needed. The numbers of fields and states are those
 * of its api/watch.proto, objects.proto, specs.proto and types.proto; they have been the same from Docker
 * 20.10 to 29. What is made of them is what the Engine API says of the same object.
 */
interface TaskEvent {
  readonly task: TaskView
  /** It is no more; the task is as it last was. */
  readonly removed: boolean
}

export interface WatchMessage {
  readonly tasks: readonly TaskEvent[]
  readonly nodes: readonly NodeView[]
}

const REMOVE = 4
/** WatchActionKind is a mask: create 1, update 2, remove 4. */
const ALL_ACTIONS = 7

/** WatchRequest: entries = 1 { kind = 1, action = 2 }. Tasks bear no names of their own to filter by. */
export const WATCH_TASKS_AND_NODES: Uint8Array = Buffer.concat(
  ['task', 'node'].map((kind) => field(1, Buffer.concat([field(1, kind), field(2, ALL_ACTIONS)]))),
)

/**
 * WatchMessage: events = 1 { action = 1, object = 2 { node = 1, task = 4 } }. Of tasks only those whose
 * service bears the label, which is what the Engine API's filter by label goes by.
 */
export function watchMessageOf(
  bytes: Uint8Array,
  label: { readonly name: string; readonly value: string },
): WatchMessage {
  const tasks: TaskEvent[] = []
  const nodes: NodeView[] = []
  for (const event of messagesIn(bytes, 1)) {
    const removed = numberIn(event, 1) === REMOVE
    for (const object of messagesIn(event, 2)) {
      for (const node of messagesIn(object, 1)) nodes.push(nodeOf(node))
      for (const task of messagesIn(object, 4)) {
        if (serviceLabelsOf(task)[label.name] !== label.value) continue
        tasks.push({ task: taskOf(task), removed })
      }
    }
  }
  return { tasks, nodes }
}

/** Task: service_annotations = 8 { labels = 2 }. */
function serviceLabelsOf(task: Uint8Array): Readonly<Record<string, string>> {
  return labelsIn(messageIn(task, 8), 2)
}

/** Task: id = 1, meta = 2, spec = 3, service_id = 4, node_id = 6, status = 9, desired_state = 10. */
function taskOf(bytes: Uint8Array): TaskView {
  const created = timeIn(messageIn(bytes, 2), 2)
  const nodeId = textIn(bytes, 6)
  return {
    ID: textIn(bytes, 1),
    ...(created !== undefined && { CreatedAt: created }),
    ServiceID: textIn(bytes, 4),
    ...(nodeId !== '' && { NodeID: nodeId }),
    DesiredState: stateOf(numberIn(bytes, 10)),
    Status: statusOf(messageIn(bytes, 9)),
    Spec: specOf(messageIn(bytes, 3)),
  }
}

/**
 * TaskStatus: timestamp = 1, state = 2, message = 3, err = 4, container = 5 { container_id = 1, pid = 2,
 * exit_code = 3 }.
 */
function statusOf(bytes: Uint8Array): TaskView['Status'] {
  const timestamp = timeIn(bytes, 1)
  const message = textIn(bytes, 3)
  const err = textIn(bytes, 4)
  const [container] = messagesIn(bytes, 5)
  return {
    State: stateOf(numberIn(bytes, 2)),
    ...(timestamp !== undefined && { Timestamp: timestamp }),
    ...(message !== '' && { Message: message }),
    ...(err !== '' && { Err: err }),
    ...(container !== undefined && {
      ContainerStatus: { ContainerID: textIn(container, 1), ExitCode: numberIn(container, 3) },
    }),
  }
}

/** TaskSpec: container = 1 { labels = 2, stop_grace_period = 9, tty = 13 }. */
function specOf(bytes: Uint8Array): TaskView['Spec'] {
  const [container] = messagesIn(bytes, 1)
  if (container === undefined) return {}
  const [grace] = messagesIn(container, 9)
  return {
    ContainerSpec: {
      Labels: labelsIn(container, 2),
      ...(grace !== undefined && {
        StopGracePeriod: numberIn(grace, 1) * 1_000_000_000 + numberIn(grace, 2),
      }),
      ...(numberIn(container, 13) === 1 && { TTY: true }),
    },
  }
}

/** Node: id = 1, meta = 2 { updated_at = 3 }, description = 4 { hostname = 1 }, status = 5 { state = 1 }. */
function nodeOf(bytes: Uint8Array): NodeView {
  const updated = timeIn(messageIn(bytes, 2), 3)
  const state = numberIn(messageIn(bytes, 5), 1)
  return {
    ID: textIn(bytes, 1),
    ...(updated !== undefined && { UpdatedAt: updated }),
    Description: { Hostname: textIn(messageIn(bytes, 4), 1) },
    Status: { State: NODE_STATES[state] ?? String(state) },
  }
}

const NODE_STATES = ['unknown', 'down', 'ready', 'disconnected']

/** TaskState. */
const TASK_STATES: ReadonlyMap<number, string> = new Map([
  [0, 'new'],
  [64, 'pending'],
  [192, 'assigned'],
  [256, 'accepted'],
  [320, 'preparing'],
  [384, 'ready'],
  [448, 'starting'],
  [512, 'running'],
  [576, 'complete'],
  [640, 'shutdown'],
  [704, 'failed'],
  [768, 'rejected'],
  [800, 'remove'],
  [832, 'orphaned'],
])

function stateOf(number: number): string {
  return TASK_STATES.get(number) ?? String(number)
}

/** Timestamp: seconds = 1, nanos = 2; written as Go does, without zeros at the end. */
function timeIn(bytes: Uint8Array, number: number): string | undefined {
  const [time] = messagesIn(bytes, number)
  if (time === undefined) return undefined
  const seconds = new Date(numberIn(time, 1) * 1_000)
  if (Number.isNaN(seconds.getTime())) return undefined
  const fraction = String(numberIn(time, 2)).padStart(9, '0').replace(/0+$/, '')
  return seconds.toISOString().replace(/\.000Z$/, fraction === '' ? 'Z' : `.${fraction}Z`)
}

/** A map of texts: entries of key = 1, value = 2. */
function labelsIn(bytes: Uint8Array, number: number): Readonly<Record<string, string>> {
  return Object.fromEntries(
    messagesIn(bytes, number).map((entry) => [textIn(entry, 1), textIn(entry, 2)]),
  )
}

const EMPTY = new Uint8Array()

/** What is not sent is empty, and a message that comes more than once counts as its last. */
function messageIn(bytes: Uint8Array, number: number): Uint8Array {
  return messagesIn(bytes, number).at(-1) ?? EMPTY
}

function messagesIn(bytes: Uint8Array, number: number): readonly Uint8Array[] {
  const found: Uint8Array[] = []
  for (const one of fieldsOf(bytes)) {
    if (one.number === number && typeof one.value !== 'number') found.push(one.value)
  }
  return found
}

function textIn(bytes: Uint8Array, number: number): string {
  return textOf(messageIn(bytes, number))
}

function numberIn(bytes: Uint8Array, number: number): number {
  let found = 0
  for (const one of fieldsOf(bytes)) {
    if (one.number === number && typeof one.value === 'number') found = one.value
  }
  return found
}
