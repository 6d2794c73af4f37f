import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../support/store.ts'
import { Requests } from './requests.ts'
import { wallMs } from './wall-clock.ts'

/** What is read of a service's spec, and handed on as it is. */
export interface ServiceSpec {
  readonly Name: string
  readonly Labels: Readonly<Record<string, string>>
}

const LABEL = 'longhaul.installation'
const NOBODY = 'nobody'
const CALLERS = 16
const LOOK_MS = 5
const LIMIT_MS = 60_000
const OVER: ReadonlySet<string> = new Set(['complete', 'failed', 'rejected', 'shutdown'])

/**
 * What the Engine API itself does for a client that does nothing else. It hears of a container's death by
 * the engine's events, and asks from then on until the swarm knows.
 */
export class RawSwarm implements Disposable {
  readonly #requests: Requests
  readonly #events: ClientRequest
  readonly #deaths = new Map<string, PromiseWithResolvers<undefined>>()
  #subscribed = false

  /** Resolves once subscribed. */
  static async open(socket: string): Promise<RawSwarm> {
    const raw = new RawSwarm(socket)
    await until(() => raw.#subscribed, "the engine's events are subscribed to", LIMIT_MS)
    return raw
  }

  private constructor(socket: string) {
    this.#requests = new Requests(socket, CALLERS)
    const path = `/events?filters=${filters({ type: ['container'], event: ['die'] })}`
    this.#events = request({ socketPath: socket, path })
    this.#events.on('response', (response: IncomingMessage) => {
      this.#subscribed = true
      const lines = createInterface({ input: response })
      lines.on('line', (line) => {
        const { Actor } = JSON.parse(line) as { Actor: { Attributes: Record<string, string> } }
        this.#death(Actor.Attributes['com.docker.swarm.service.id'] ?? '').resolve(undefined)
      })
      // Of a stream that is cut off: by us, or with the engine.
      lines.on('error', () => undefined)
    })
    this.#events.on('error', () => undefined)
    this.#events.end()
  }

  /** The spec of a service of the task type, once there is one. */
  async specOf(taskType: string): Promise<ServiceSpec> {
    const path = `/services?filters=${filters({ label: [`longhaul.task-type=${taskType}`] })}`
    let found: ServiceSpec | undefined
    await until(
      async () => {
        const services = JSON.parse(await this.#requests.get(path)) as { Spec: ServiceSpec }[]
        found = services[0]?.Spec
        return found !== undefined
      },
      `a service of ${taskType}`,
      LIMIT_MS,
    )
    return found!
  }

  /** Gives the service's id. */
  async create(spec: ServiceSpec): Promise<string> {
    const { ID } = JSON.parse(await this.#requests.post('/services/create', spec)) as { ID: string }
    return ID
  }

  /** When the list of tasks first showed that the service's task was over. */
  async over(service: string): Promise<number> {
    const death = this.#death(service)
    const late = setTimeout(() => {
      death.reject(new Error(`the service ${service} was not over within ${LIMIT_MS} ms`))
    }, LIMIT_MS)
    await death.promise
    clearTimeout(late)
    this.#deaths.delete(service)
    const path = `/tasks?filters=${filters({ service: [service] })}`
    for (;;) {
      const tasks = JSON.parse(await this.#requests.get(path)) as { Status: { State: string } }[]
      if (tasks.every(({ Status }) => OVER.has(Status.State))) return wallMs()
      await pause(LOOK_MS)
    }
  }

  async remove(service: string): Promise<void> {
    await this.#requests.delete(`/services/${service}`)
  }

  /** Resolves once no service is left, of whomever. */
  async empty(): Promise<void> {
    const none = async () => (await this.#requests.get('/services')).trim() === '[]'
    await until(none, 'no service is left', LIMIT_MS)
  }

  [Symbol.dispose](): void {
    this.#events.destroy()
    this.#requests[Symbol.dispose]()
  }

  #death(service: string): PromiseWithResolvers<undefined> {
    const known = this.#deaths.get(service) ?? Promise.withResolvers<undefined>()
    this.#deaths.set(service, known)
    return known
  }
}

/** The same service as a daemon has made, but under another name and of no installation that there is. */
export function likeIt(spec: ServiceSpec, name: string): ServiceSpec {
  const { Labels } = spec
  const text = JSON.stringify(spec)
    .replaceAll(Labels[LABEL] ?? LABEL, NOBODY)
    .replaceAll(Labels['longhaul.task-id'] ?? spec.Name, `raw/${name}`)
    .replaceAll(spec.Name, name)
  return JSON.parse(text) as ServiceSpec
}

export function filters(wanted: Readonly<Record<string, readonly string[]>>): string {
  return encodeURIComponent(JSON.stringify(wanted))
}
