/** A release of Nomad: what it can do, and how it errs, goes by it. */
export interface NomadVersion {
  readonly major: number
  readonly minor: number
  readonly patch: number
  /** As it was told: `1.10.8+ent`. */
  readonly text: string
}

/** Undefined where the text begins with no version: builds of one's own may be called anything. */
export function parseVersion(text: string): NomadVersion | undefined {
  const found = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text)
  if (found === null) return undefined
  const [major = 0, minor = 0, patch = 0] = found.slice(1).map(Number)
  return { major, minor, patch, text }
}

/** Whether the release is this one or a later one; a pre-release counts as its release. */
export function isAtLeast(
  version: NomadVersion,
  [major, minor, patch]: readonly [major: number, minor: number, patch: number],
): boolean {
  if (version.major !== major) return version.major > major
  if (version.minor !== minor) return version.minor > minor
  return version.patch >= patch
}
