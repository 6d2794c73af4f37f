import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  AllocationView,
  EvaluationView,
  EventView,
  FrameView,
  JobState,
  JobView,
} from '../../../../adapters/scheduler/nomad/views.ts'

const FOLDER = join(import.meta.dirname, '../../../fixtures/nomad')

/** What a real Nomad answered in one scenario (test/fixtures/nomad/README.md). */
export interface Recording {
  readonly scenario: string
  readonly nomad: string
  readonly job: string
  readonly calls: readonly RecordedCall[]
  readonly stream: readonly FrameView[]
}

interface RecordedCall {
  readonly method: string
  readonly path: string
  readonly requestBody?: unknown
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

export function recordingNames(): readonly string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
  return files.map((file) => file.slice(0, -'.json'.length))
}

export function recording(name: string): Recording {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as Recording
}

/** The job's state by the `n`th reading of its allocations, the last one where no `n` is given. */
export function listedState({ calls, job: id }: Recording, n?: number): JobState {
  const jobs: JobView[] = []
  const allocations: (readonly AllocationView[])[] = []
  const evaluations: (readonly EvaluationView[])[] = []
  for (const { method, path, status, body } of calls) {
    if (method !== 'GET' || status !== 200) continue
    if (path === `/v1/job/${id}`) jobs.push(body as JobView)
    if (path.startsWith(`/v1/job/${id}/allocations`)) allocations.push(body as AllocationView[])
    if (path === `/v1/job/${id}/evaluations`) evaluations.push(body as EvaluationView[])
  }
  const at = n ?? allocations.length - 1
  const job = jobs[Math.min(at, jobs.length - 1)]
  if (job === undefined) throw new Error(`the recording of ${id} has no reading ${at} of its job`)
  return {
    job,
    allocations: allocations[at] ?? [],
    evaluations: evaluations[Math.min(at, evaluations.length - 1)] ?? [],
  }
}

/** The job's state after each frame of the stream that speaks of it. */
export function streamedStates({ stream, job: id }: Recording): readonly JobState[] {
  const allocations = new Map<string, AllocationView>()
  const evaluations = new Map<string, EvaluationView>()
  let job: JobView | undefined
  const states: JobState[] = []
  for (const { Events } of stream) {
    const events: readonly EventView[] = (Events ?? []).filter(({ Topic }) => Topic !== 'Node')
    for (const { Payload } of events) {
      if (Payload.Job) job = Payload.Job
      if (Payload.Allocation) allocations.set(Payload.Allocation.ID, Payload.Allocation)
      if (Payload.Evaluation) evaluations.set(Payload.Evaluation.ID, Payload.Evaluation)
    }
    if (job?.ID !== id || events.length === 0) continue
    states.push({
      job,
      allocations: [...allocations.values()],
      evaluations: [...evaluations.values()],
    })
  }
  return states
}
