/** An image's name in its parts: `registry.example.com:5000/team/encoder:1.4@sha256:…`. */
export interface ImageReference {
  /** With its port; `docker.io` where the name has none. */
  readonly registry: string
  /** With Docker Hub's own `library/` where nothing else is said. */
  readonly repository: string
  readonly tag?: string
  readonly digest?: string
}

/** Read as the engine does. An id (`sha256:…`) is no name: undefined. */
export function referenceOf(image: string): ImageReference | undefined {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(image)) return undefined
  const [name = '', digest] = image.split('@', 2)
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  const hosted = /[.:*]/.test(first) || first === 'localhost'
  const path = hosted ? name.slice(slash + 1) : name
  const colon = path.lastIndexOf(':')
  const bare = colon === -1 ? path : path.slice(0, colon)
  const tag = colon === -1 ? undefined : path.slice(colon + 1)
  return {
    registry: hosted ? hubName(first) : HUB,
    repository: hosted || bare.includes('/') ? bare : `library/${bare}`,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  }
}

const HUB = 'docker.io'

/** Docker Hub has three names. */
export function hubName(registry: string): string {
  return registry === 'index.docker.io' || registry === 'registry-1.docker.io' ? HUB : registry
}

/**
 * Whether an image is one that a pattern means. A pattern is an image's name with `*` for anything; one
 * without a tag means every tag and digest. An image that is an id alone is meant by no pattern.
 */
export function matchesImage(image: string, pattern: string): boolean {
  const found = referenceOf(image)
  const wanted = referenceOf(pattern)
  if (found === undefined || wanted === undefined) return false
  return (
    // A `*` in a registry's name must not let in a registry of another's.
    like(found.registry, wanted.registry, '[^/]*') &&
    like(found.repository, wanted.repository, '.*') &&
    (wanted.tag === undefined || like(found.tag ?? 'latest', wanted.tag, '.*')) &&
    (wanted.digest === undefined || like(found.digest ?? '', wanted.digest, '.*'))
  )
}

function like(text: string, pattern: string, anything: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[^\w-]/g, String.raw`\$&`))
    .join(anything)
  return new RegExp(`^${source}$`).test(text)
}
