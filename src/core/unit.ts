import type { ObservedExit } from './exit.ts'
import type { Service } from './task-type.ts'

/** Who a unit belongs to: kept by the scheduler beside it (labels, metadata, a file). */
export interface UnitIdentity {
  readonly installation: string
  readonly taskId: string
  readonly taskUid: string
  readonly taskType: string
  readonly run: number
  readonly attempt: number
}

/** What the scheduler is asked to hold and run, once. */
export interface UnitSpec {
  /** Deterministic: the same attempt always has the same name. */
  readonly name: string
  readonly identity: UnitIdentity
  /** Everything filled in: environment with `LONGHAUL_*`, command with its arguments. */
  readonly service: Service
  /** The folder of the task type's file, from which relative paths count. */
  readonly directory: string
  readonly memoryBytes?: number
  /** How much of the end of its output goes into an exit. */
  readonly logTailBytes: number
}

/** What an adapter saw of a unit. */
export type Observation = {
  readonly unit: string
  readonly identity: UnitIdentity
  readonly node?: string
  /** Why, where the scheduler by itself runs the attempt a second time: the adapter is ending it. */
  readonly copy?: string
} & Sight

export type Sight =
  /**
   * Held by the scheduler, not running yet. `message` is the scheduler's own word on why; `unplaced`:
   * it has found no node for it so far.
   */
  | { readonly phase: 'pending'; readonly message?: string; readonly unplaced?: true }
  | { readonly phase: 'running' }
  /** Over. `stopped`: the scheduler itself knows that it ended because we asked it to. */
  | { readonly phase: 'exited'; readonly exit: ObservedExit; readonly stopped: boolean }
  /** The scheduler's own word that somebody removed it. */
  | { readonly phase: 'removed'; readonly message?: string }
  /** On a node that does not answer. */
  | { readonly phase: 'unreachable'; readonly since: Date }

/** Plain absence: a list begun at `listedAt` does not show the unit. Made by the engine, never by an adapter. */
export interface Absence {
  readonly phase: 'absent'
  readonly listedAt: Date
}

/** True where both name the same attempt of the same task of the same installation. */
export function sameIdentity(a: UnitIdentity, b: UnitIdentity): boolean {
  return a.installation === b.installation && a.taskUid === b.taskUid && a.attempt === b.attempt
}
