import { type Path, Unhonoured } from './unhonoured.ts'

/** What a node tells of itself is Go's name (client/fingerprint, `arch.go` and `host.go`). */
const ARCHITECTURES = words(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x',
)
const SYSTEMS = words('aix darwin dragonfly freebsd linux netbsd openbsd solaris windows')

/** Others that Docker takes for the same (containerd/platforms), without those of a variant. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['i386', '386'],
  ['i686', '386'],
])

/** No node would ever be of another: nothing but `start_timeout` would say so. */
export function architectureOf(written: string, path: Path): string {
  const name = written.toLowerCase()
  const found = ALIASES.get(name) ?? name
  if (ARCHITECTURES.has(found)) return found
  throw new Unhonoured(
    path,
    `'${written}' is none of Go's architectures, by which Nomad knows its nodes: amd64, arm64, arm …`,
  )
}

export function systemOf(written: string, path: Path): string {
  const name = written.toLowerCase()
  const found = name === 'macos' ? 'darwin' : name
  if (SYSTEMS.has(found)) return found
  throw new Unhonoured(
    path,
    `'${written}' is none of Go's systems, by which Nomad knows its nodes: linux, windows …`,
  )
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(' '))
}
