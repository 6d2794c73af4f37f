/**
 * The few errors that are thrown, classed by what the caller does about them. Expected outcomes are
 * values. Each carries a `code` that stays the same over releases.
 */
abstract class LonghaulError extends Error {
  readonly code: string
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.name = new.target.name
  }
}

/** Permanent: the same call will be refused again. The caller gives up and says so. */
export class Rejected extends LonghaulError {}

/** Passing: the other side does not answer now. The caller leaves everything as it is and comes again. */
export class Unavailable extends LonghaulError {}

/** This process does not lead any more: whatever it was about to write was not written. */
export class LeaseLost extends LonghaulError {
  constructor(message = 'another process has taken over the lead') {
    super('lease-lost', message)
  }
}

/** One mistake in a file, at its place. `line` and `column` count from 1. */
export interface ConfigIssue {
  readonly file: string
  readonly line?: number
  readonly column?: number
  readonly message: string
}

/** The configuration cannot be used; every mistake found is named. */
export class ConfigError extends LonghaulError {
  readonly issues: readonly ConfigIssue[]
  constructor(issues: readonly ConfigIssue[]) {
    super('config', issues.map(formatIssue).join('\n'))
    this.issues = issues
  }
}

export function formatIssue({ file, line, column, message }: ConfigIssue): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return `${place}: ${message}`
}

/** The text of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A message that cannot be handled yet: it is to come again after about so long. */
export class TryAgain extends LonghaulError {
  readonly pauseMs: number
  constructor(code: string, message: string, pauseMs: number) {
    super(code, message)
    this.pauseMs = pauseMs
  }
}
