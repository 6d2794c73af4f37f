import { Rejected, Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { UnitSpec } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { type Answer, type EngineApi, isRefusal, messageIn } from './engine-api.ts'
import { matchesImage, referenceOf } from './image-reference.ts'
import { registryAuthFor } from './registry-auth.ts'

/** What the daemon's file says of images. */
export interface ImagePolicy {
  /** Patterns of which an image must meet one; without any, every image may run. */
  readonly allowed?: readonly string[]
  /** Nothing runs but by digest: one that is written, or one that the registry can say. */
  readonly requireDigest: boolean
  /** A Docker `config.json`. */
  readonly authFile?: string
}

const REGISTRY_MS = 2_000
/** A registry's 401 to whom nothing is known to tell it: the engine says it with 500. */
const NO_CREDENTIALS = 'no basic auth credentials'
/** A registry that could not say a digest is left alone for so long. */
const SILENT_FOR_MS = 60_000
const MOST_KNOWN = 10_000

/** Whether an image may run, what its tag means, and what its registry has to be told. */
export class Images {
  readonly #engine: EngineApi
  readonly #policy: ImagePolicy
  readonly #logger: Logger
  readonly #silentUntil = new Map<string, number>()

  constructor(engine: EngineApi, policy: ImagePolicy, logger: Logger) {
    this.#engine = engine
    this.#policy = policy
    this.#logger = logger
  }

  /**
   * The image with the digest that its tag means to its registry now; undefined for one that is exact
   * already, and where the registry says nothing. Throws as `of` does.
   */
  async resolve(unit: UnitSpec, signal: AbortSignal): Promise<string | undefined> {
    const image = this.#allowed(unit)
    const reference = referenceOf(image)
    if (reference === undefined || reference.digest !== undefined) return undefined
    return await this.#digestOf(image, await this.#authFor(reference.registry), signal)
  }

  /**
   * As it is written. `Rejected` for an image that may not run (`image-unavailable` where its registry
   * says so), `Unavailable` where that is not to be had now.
   */
  async of(unit: UnitSpec): Promise<{ readonly image: string; readonly registryAuth?: string }> {
    const image = this.#allowed(unit)
    const reference = referenceOf(image)
    if (reference === undefined) return { image }
    if (this.#policy.requireDigest && reference.digest === undefined) {
      throw new Rejected('no-digest', `${image} has no digest, and the daemon's file requires one`)
    }
    const registryAuth = await this.#authFor(reference.registry)
    return { image, ...(registryAuth !== undefined && { registryAuth }) }
  }

  #allowed({ service: { image } }: UnitSpec): string {
    if (image === undefined || image === '') {
      throw new Rejected('no-image', 'image: a Swarm task needs one')
    }
    const { allowed } = this.#policy
    if (allowed !== undefined && !allowed.some((pattern) => matchesImage(image, pattern))) {
      throw new Rejected('image-not-allowed', `${image} is none of the daemon's allowed_images`)
    }
    return image
  }

  async #authFor(registry: string): Promise<string | undefined> {
    const { authFile } = this.#policy
    return authFile === undefined ? undefined : await registryAuthFor(registry, authFile)
  }

  async #digestOf(
    image: string,
    registryAuth: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { requireDigest } = this.#policy
    if (!requireDigest && (this.#silentUntil.get(image) ?? 0) > performance.now()) return undefined
    const answer = await this.#ask(image, registryAuth, signal)
    const digest = answer.status === 200 ? digestIn(answer.body) : undefined
    if (digest !== undefined) {
      this.#silentUntil.delete(image)
      return `${image}@${digest}`
    }
    const why = `the registry tells no digest of ${image}: ${messageIn(answer.body)}`
    if (requireDigest) {
      throw isRefusal(answer.status) || why.endsWith(NO_CREDENTIALS)
        ? new Rejected('image-unavailable', why)
        : new Unavailable('no-digest', why)
    }
    this.#logger.warn('image.unpinned', {
      image,
      error: messageIn(answer.body),
      remedy: 'every node runs what the tag means to it: push the image, or write a digest',
    })
    if (this.#silentUntil.size > MOST_KNOWN) this.#silentUntil.clear()
    this.#silentUntil.set(image, performance.now() + SILENT_FOR_MS)
    return undefined
  }

  async #ask(
    image: string,
    registryAuth: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(REGISTRY_MS)])
    try {
      return await this.#engine.call('GET', `/distribution/${image}/json`, {
        signal: limited,
        ...(registryAuth !== undefined && { registryAuth }),
      })
    } catch (error) {
      if (signal.aborted) throw error
      return { status: 504, body: { message: errorMessage(error) } }
    }
  }
}

function digestIn(body: unknown): string | undefined {
  const { Descriptor } = body as { Descriptor?: { digest?: string } }
  return Descriptor?.digest
}
