import { createHash } from 'node:crypto'
import { serviceFor } from '../core/compose/unit.ts'
import type { Attempt, Task } from '../core/task.ts'
import type { TaskType } from '../core/task-type.ts'
import type { UnitSpec } from '../core/unit.ts'

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * `lh-<slug of the type>-<first 19 base32 characters of sha256(installation, task uid, attempt)>`: at
 * most 63 characters, a DNS label, the same for the same attempt for ever and for no other one.
 */
export function unitName(
  installation: string,
  task: Pick<Task, 'type' | 'uid'>,
  attempt: number,
): string {
  const digest = createHash('sha256').update(`${installation}\n${task.uid}\n${attempt}`).digest()
  const slug = task.type.replace(/-+/g, '-').replace(/^-|-$/g, '')
  return `lh-${slug}-${base32(digest).slice(0, 19)}`
}

function base32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += BASE32[(value >> bits) & 31] ?? ''
    }
  }
  return text
}

/** What the scheduler is given for an attempt: everything filled in, its identity beside it. */
export function unitSpecFor(
  installation: string,
  type: TaskType,
  task: Pick<Task, 'id' | 'uid' | 'type' | 'input' | 'memoryBytes'>,
  attempt: Pick<Attempt, 'number' | 'run' | 'unit' | 'image'>,
): UnitSpec {
  const service = serviceFor(type, task.input)
  return {
    name: attempt.unit,
    identity: {
      installation,
      taskId: task.id,
      taskUid: task.uid,
      taskType: task.type,
      run: attempt.run,
      attempt: attempt.number,
    },
    service: {
      ...service,
      ...(attempt.image !== undefined && { image: attempt.image }),
      environment: {
        ...service.environment,
        LONGHAUL_TASK_ID: task.id,
        LONGHAUL_TASK_TYPE: task.type,
        LONGHAUL_RUN: String(attempt.run),
        LONGHAUL_ATTEMPT: String(attempt.number),
        LONGHAUL_INPUT: JSON.stringify(task.input),
      },
    },
    directory: type.directory,
    ...(task.memoryBytes !== undefined && { memoryBytes: task.memoryBytes }),
    logTailBytes: type.keep.logTailBytes,
  }
}
