/** One vocabulary for every scheduler: how an attempt ended. */
export type ExitReason = keyof typeof FAULTS

/** Whose doing it was; the default policy goes by it. */
export type Fault = 'none' | 'task' | 'configuration' | 'infrastructure' | 'operator'

const FAULTS = {
  completed: 'none',
  failed: 'task',
  killed: 'task',
  oom: 'task',
  'start-failed': 'task',
  'attempt-timeout': 'task',
  rejected: 'configuration',
  'image-unavailable': 'configuration',
  unschedulable: 'infrastructure',
  'start-timeout': 'infrastructure',
  interrupted: 'infrastructure',
  preempted: 'infrastructure',
  'node-lost': 'infrastructure',
  removed: 'infrastructure',
  lost: 'infrastructure',
  cancelled: 'operator',
  deadline: 'operator',
} as const satisfies Record<string, Fault>

export const EXIT_REASONS = Object.keys(FAULTS) as ExitReason[]

export function faultOf(reason: ExitReason): Fault {
  return FAULTS[reason]
}

/**
 * How an attempt ends that the scheduler refuses to start: a registry's no says so by its code, and may
 * be a yes a minute later; everything else lies in the spec.
 */
export function reasonOfRefusal(code: string): 'rejected' | 'image-unavailable' {
  return code === 'image-unavailable' ? code : 'rejected'
}

/** What an adapter knows of an ended unit; the engine adds what it knows itself. */
export interface ObservedExit {
  readonly reason: ExitReason
  readonly code?: number
  readonly signal?: string
  /** When it ended by the scheduler's or node's clock: shown, never calculated with. */
  readonly at?: Date
  readonly message?: string
  readonly logTail?: string
}

export interface Exit {
  readonly reason: ExitReason
  readonly fault: Fault
  readonly code?: number
  readonly signal?: string
  readonly at: Date
  readonly message?: string
  readonly logTail?: string
}

const SIGNAL_NAMES: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
}

/** The name of a Linux signal, `SIG34` where it has none. */
function signalName(number: number): string {
  return SIGNAL_NAMES[number] ?? `SIG${number}`
}

/**
 * What a program's exit code says where nothing better is known: 0 is `completed`, 129 to 159 is
 * `killed` with the signal code - 128 (the shells' and container engines' convention), the rest
 * `failed`. 137 is not `oom`: only a scheduler or a node can say that.
 */
export function exitOfCode(code: number): Pick<ObservedExit, 'reason' | 'code' | 'signal'> {
  if (code === 0) return { reason: 'completed', code }
  if (code > 128 && code < 160) return { reason: 'killed', code, signal: signalName(code - 128) }
  return { reason: 'failed', code }
}
