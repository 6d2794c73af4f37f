import { Rejected, Unavailable, errorMessage } from '../../../src/core/errors.ts'
import type { UnitSpec } from '../../../src/core/unit.ts'
import type { Logger } from '../../../src/ports/logger.ts'
import { type Answer, type EngineApi, messageIn } from './engine-api.ts'
import { matchesImage, referenceOf } from './image-reference.ts'
import { LABEL } from './labels.ts'
import { registryAuthFor } from './registry-auth.ts'
import type { ServiceView } from './views.ts'

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
/** A registry that could not say a digest is left alone for so long. */
const SILENT_FOR_MS = 60_000
const MOST_KNOWN = 10_000

/**
 * Which image an attempt runs. A tag is looked up at a run's first attempt, and every attempt of the run
 * has that digest: known here, else read from the service of an attempt before.
 */
export class Images {
  readonly #engine: EngineApi
  readonly #policy: ImagePolicy
  readonly #logger: Logger
  /** By task and run. */
  readonly #known = new Map<string, string>()
  readonly #silentUntil = new Map<string, number>()

  constructor(engine: EngineApi, policy: ImagePolicy, logger: Logger) {
    this.#engine = engine
    this.#policy = policy
    this.#logger = logger
  }

  /** `Rejected` for an image that may not run, `Unavailable` where a digest is needed and not to be had now. */
  async of(
    unit: UnitSpec,
    signal: AbortSignal,
  ): Promise<{ readonly image: string; readonly registryAuth?: string }> {
    const { image } = unit.service
    if (image === undefined || image === '') {
      throw new Rejected('no-image', 'image: a Swarm task needs one')
    }
    const { allowed, authFile } = this.#policy
    if (allowed !== undefined && !allowed.some((pattern) => matchesImage(image, pattern))) {
      throw new Rejected('image-not-allowed', `${image} is none of the daemon's allowed_images`)
    }
    const reference = referenceOf(image)
    if (reference === undefined) return { image }
    const registryAuth =
      authFile === undefined ? undefined : await registryAuthFor(reference.registry, authFile)
    const pinned =
      reference.digest === undefined ? await this.#pinned(unit, image, registryAuth, signal) : image
    return { image: pinned, ...(registryAuth !== undefined && { registryAuth }) }
  }

  async #pinned(
    unit: UnitSpec,
    image: string,
    registryAuth: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const { taskUid, run } = unit.identity
    const key = `${taskUid}/${run}`
    const known = this.#known.get(key) ?? (await this.#earlier(unit, image, signal))
    const pinned = known ?? (await this.#resolve(image, registryAuth, signal)) ?? image
    this.#known.set(key, pinned)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    return pinned
  }

  /** What an attempt of the same run was given, as long as the swarm holds one. */
  async #earlier(
    { identity }: UnitSpec,
    image: string,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (identity.attempt === 1) return undefined
    const label = [
      `${LABEL.installation}=${identity.installation}`,
      `${LABEL.taskUid}=${identity.taskUid}`,
      `${LABEL.run}=${identity.run}`,
    ]
    const services = await this.#engine.read<readonly ServiceView[]>('/services', signal, {
      filters: JSON.stringify({ label }),
    })
    return services
      .map(({ Spec }) => Spec.TaskTemplate?.ContainerSpec?.Image)
      .find((ran) => ran?.startsWith(`${image}@`))
  }

  async #resolve(
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
      const refused = answer.status >= 400 && answer.status < 500
      throw refused ? new Rejected('no-digest', why) : new Unavailable('no-digest', why)
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
