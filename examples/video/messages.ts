import { Command, Event } from '@node-ts/bus-messages'

/**
 * The messages of this application, and the one of Longhaul's that it listens to. The daemon knows none
 * of these classes: it binds the names that its task types mention, and reads JSON.
 *
 * bus-core makes an empty instance of each to read its name, so no constructor may need its arguments.
 */
export class VideoUploaded extends Event {
  readonly $name = 'media/video-uploaded'
  readonly $version = 1
  readonly videoId: string
  readonly file: string
  constructor(videoId: string, file: string) {
    super()
    this.videoId = videoId
    this.file = file
  }
}

/** What `tasks/encode-video.yml` names as its command; its `input` says what must be in it. */
export class EncodeVideo extends Command {
  readonly $name = 'media/encode-video'
  readonly $version = 1
  readonly videoId: string
  readonly source: string
  readonly target: string
  constructor(videoId: string, source: string, target: string) {
    super()
    this.videoId = videoId
    this.source = source
    this.target = target
  }
}

// The events of `tasks/encode-video.yml`: the body of Longhaul's own event, and the command as `input`.
// They are only ever received, so the fields have no values here.

export class VideoEncoded extends Event {
  readonly $name = 'media/video-encoded'
  readonly $version = 1
  declare readonly input: EncodeVideo
  declare readonly attempts: readonly unknown[]
}

export class VideoNotEncoded extends Event {
  readonly $name = 'media/video-not-encoded'
  readonly $version = 1
  declare readonly taskId: string
  declare readonly rule: string
  declare readonly exit: { readonly reason: string; readonly code?: number }
}

export class VideoEncodingCancelled extends Event {
  readonly $name = 'media/video-encoding-cancelled'
  readonly $version = 1
  declare readonly by?: string
  declare readonly reason?: string
}

/** The answer to a command that is not taken at all. With the npm package: `import { TaskRejected } from 'longhaul'`. */
export class TaskRejected extends Event {
  readonly $name = 'longhaul/task-rejected'
  readonly $version = 1
  declare readonly errors: readonly { readonly pointer: string; readonly message: string }[]
}
