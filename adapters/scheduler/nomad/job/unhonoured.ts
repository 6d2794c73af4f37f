import { Rejected } from '../../../../src/core/errors.ts'
import { isAtLeast, type NomadVersion } from '../version.ts'

/** Where in the service: keys and the numbers of list items. */
export type Path = readonly string[]

/** A key of a service that no Nomad can honour, or not this one. */
export class Unhonoured extends Rejected {
  readonly path: Path
  constructor(path: Path, why: string) {
    super('nomad-job', path.length === 0 ? why : `${dotted(path)}: ${why}`)
    this.path = path
  }
}

/** `volumes[0].type`, as people write it. */
export function dotted(path: Path): string {
  return path.join('.').replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]')
}

/** What of the Nomad goes into a job; without a version the newest is meant. */
export interface NomadFacts {
  readonly version?: NomadVersion
}

type Release = readonly [major: number, minor: number, patch: number]

export function has({ version }: NomadFacts, release: Release): boolean {
  return version === undefined || isAtLeast(version, release)
}

/** Older releases drop a field of the job that they do not know without a word. */
export function needs(facts: NomadFacts, release: Release, path: Path): void {
  if (has(facts, release)) return
  const older = `and this one is ${facts.version?.text ?? ''}`
  const why = `needs Nomad ${release.join('.')} or newer, ${older}`
  throw new Unhonoured(path, path.length === 0 ? `a task type ${why}` : why)
}
