import type { Labels } from '../unit-labels.ts'

/**
 * What is read of the swarm's objects: only these fields, so that whatever else can tell of tasks
 * need make no more of them than this. Absent and empty strings are the same here.
 */
export interface TaskView {
  readonly ID: string
  readonly CreatedAt?: string
  readonly ServiceID: string
  readonly NodeID?: string
  readonly DesiredState: string
  readonly Status: {
    readonly State: string
    readonly Timestamp?: string
    /** The last thing that went well: tells how far it came. */
    readonly Message?: string
    readonly Err?: string
    readonly ContainerStatus?: { readonly ContainerID?: string; readonly ExitCode?: number }
  }
  readonly Spec: {
    readonly ContainerSpec?: {
      readonly Labels?: Labels | null
      readonly StopGracePeriod?: number
      readonly TTY?: boolean
    }
  }
}

export interface ServiceView {
  readonly ID: string
  readonly CreatedAt?: string
  readonly Spec: {
    readonly Name: string
    readonly Labels?: Labels | null
  }
}

export interface NodeView {
  readonly ID: string
  readonly UpdatedAt?: string
  readonly Description?: { readonly Hostname?: string }
  readonly Status?: { readonly State?: string }
}
