import { Workflow, type WorkflowMapper, WorkflowState } from '@node-ts/bus-core'
import type { Command } from '@node-ts/bus-messages'
import {
  EncodeVideo,
  TaskRejected,
  VideoEncoded,
  VideoEncodingCancelled,
  VideoNotEncoded,
  VideoUploaded,
} from './messages.ts'

class VideoState extends WorkflowState {
  readonly $name = 'video/video-state'
  videoId = ''
}

/** What the workflow needs of the application; bus-core's container gives it. */
export interface Outside {
  send(command: Command): Promise<void>
  tell(videoId: string, words: string): void
}

/**
 * From an uploaded video to one that can be watched. bus-core puts the workflow's id into the sticky
 * attributes of the command; Longhaul sets them on every event of the task, and by them bus-core finds
 * the state again: nothing here compares ids.
 */
export class VideoWorkflow extends Workflow<VideoState> {
  readonly #outside: Outside
  constructor(outside: Outside) {
    super()
    this.#outside = outside
  }

  override configureWorkflow(mapper: WorkflowMapper<VideoState, VideoWorkflow>): void {
    mapper
      .withState(VideoState)
      .startedBy(VideoUploaded, 'uploaded')
      .when(VideoEncoded, 'encoded')
      .when(VideoNotEncoded, 'notEncoded')
      .when(VideoEncodingCancelled, 'cancelled')
      .when(TaskRejected, 'rejected')
  }

  async uploaded({ videoId, file }: VideoUploaded): Promise<Partial<VideoState>> {
    this.#outside.tell(videoId, `uploaded as ${file}: to be encoded`)
    await this.#outside.send(new EncodeVideo(videoId, file, `${videoId}.webm`))
    return { videoId }
  }

  encoded({ input, attempts }: VideoEncoded, { videoId }: VideoState) {
    const tries = attempts.length === 1 ? 'the first attempt' : `attempt ${attempts.length}`
    this.#outside.tell(videoId, `ENCODED as ${input.target}, at ${tries}`)
    return this.completeWorkflow()
  }

  notEncoded({ taskId, exit, rule }: VideoNotEncoded, { videoId }: VideoState) {
    const how = [exit.reason, exit.code].filter((word) => word !== undefined).join(' ')
    this.#outside.tell(
      videoId,
      `NOT ENCODED: ${how} (${rule}); see \`longhaul task show ${taskId}\``,
    )
    return this.completeWorkflow()
  }

  cancelled({ by, reason }: VideoEncodingCancelled, { videoId }: VideoState) {
    this.#outside.tell(videoId, `CANCELLED by ${by ?? 'somebody'}: ${reason ?? 'no reason given'}`)
    return this.completeWorkflow()
  }

  rejected({ errors }: TaskRejected, { videoId }: VideoState) {
    const words = errors.map(({ pointer, message }) => `${pointer} ${message}`).join('; ')
    this.#outside.tell(videoId, `REJECTED: ${words}`)
    return this.completeWorkflow()
  }
}
