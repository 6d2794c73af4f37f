import type { ExitReason } from './exit.ts'
import type { Json, JsonObject } from './json.ts'

/**
 * A task type as its file says it, before `${VAR}` is filled in: what is stored, by its hash, with
 * every task that was accepted under it. `compose` holds the whole document as plain data; `directory`
 * is the folder of its file, from which relative paths count.
 */
export interface Definition {
  readonly name: string
  readonly hash: string
  readonly directory: string
  readonly compose: JsonObject
}

/** A definition with its variables filled in and every default applied. */
export interface TaskType {
  readonly name: string
  readonly hash: string
  readonly directory: string
  readonly service: Service
  /** The bus command that asks for it, if it has one of its own. */
  readonly command?: string
  /** JSON Pointer into the input that gives the task's id. */
  readonly idPointer?: string
  /** JSON Schema (2020-12) of the input. */
  readonly input: JsonObject
  /** Environment values that come from the input, by JSON Pointer. */
  readonly inputEnvironment: Readonly<Record<string, string>>
  readonly arguments: readonly Argument[]
  readonly startTimeoutMs: number
  readonly attemptTimeoutMs?: number
  readonly deadlineMs?: number
  readonly retry: RetryPolicy
  readonly onNodeLost: { readonly action: 'retry' | 'wait'; readonly afterMs: number }
  readonly concurrency?: { readonly limit: number; readonly key?: string }
  readonly priority: number
  readonly eventNames: Readonly<Partial<Record<TaskEventKind, string>>>
  readonly keep: {
    readonly outcomeMs: number
    readonly failedUnitMs: number
    readonly logTailBytes: number
  }
}

/** What runs, in Compose's terms. */
export interface Service {
  readonly image?: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly workingDir?: string
  readonly environment: Readonly<Record<string, string>>
  readonly stopSignal: string
  readonly stopGraceMs: number
  /** The service as written, variables filled in: for adapters that honour more of it. */
  readonly compose: JsonObject
  /** What the top level of its file declares, variables filled in: what the service names stands here. */
  readonly declared?: Declarations
  /** What its file says for Nomad alone, as written, variables filled in. */
  readonly nomad?: JsonObject
}

/** The document's own `secrets`, `configs`, `networks` and `volumes`, as written. */
export interface Declarations {
  readonly secrets?: JsonObject
  readonly configs?: JsonObject
  readonly networks?: JsonObject
  readonly volumes?: JsonObject
}

/** A fixed string, or the input's value at a JSON Pointer. */
export type Argument = string | { readonly from: string }

export type TaskEventKind =
  'accepted' | 'started' | 'exited' | 'retrying' | 'succeeded' | 'failed' | 'cancelled'

export interface RetryPolicy {
  readonly maxAttempts: number
  readonly backoff: Backoff
  readonly rules: readonly RetryRule[]
}

export type Backoff =
  | 'none'
  | {
      readonly initialMs: number
      readonly factor: number
      readonly maxMs: number
      readonly jitter: 'full' | 'none'
    }

/** The keys of `when` must all hold; within one key any value will do. */
export interface RetryRule {
  readonly when: {
    readonly exitCode?: readonly CodeRange[]
    readonly reason?: readonly ExitReason[]
    readonly fault?: readonly string[]
    readonly signal?: readonly string[]
  }
  readonly action: 'retry' | 'fail' | 'succeed'
  readonly count: boolean
  readonly memory?: { readonly factor: number; readonly maxBytes?: number }
}

export interface CodeRange {
  readonly from: number
  readonly to: number
}

/** The string a value becomes as an environment value or an argument: strings as they are, the rest as JSON. */
export function asText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
