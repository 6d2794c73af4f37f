import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NodeView, ServiceView, TaskView } from '../../../../adapters/scheduler/swarm/views.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../../src/core/json.ts'
import { type FakeEngine, fakeEngine, json } from './fake-engine.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const NODE = 'n1'

/** What a task is told to be: its state, and what stands beside it. */
interface Told {
  readonly State: string
  readonly DesiredState?: string
  readonly Message?: string
  readonly Err?: string
  readonly ContainerStatus?: { readonly ContainerID: string; readonly ExitCode: number }
}

/** A swarm of one node as an engine answers of it. Of a task nothing changes but what the test tells. */
export interface NewerEngine extends FakeEngine {
  /** The body of each service that was made. */
  readonly created: readonly JsonObject[]
  tell(service: string, told: Told): void
  /** The state of its node is another from now on. */
  tellNode(state: string): void
  output(service: string, text: string): void
}

/**
 * An engine as the first ones of Docker 29 are: it refuses what is under API 1.44, and here every path
 * with a version at all. Codes, bodies and sentences are those of moby (daemon/server/middleware/version.go,
 * swarmkit manager/controlapi/service.go), as far as they are read.
 */
export async function newerEngine(
  version: Version = { Version: '29.0.0', ApiVersion: '1.52', MinAPIVersion: '1.44' },
): Promise<NewerEngine> {
  const services = new Map<string, Made>()
  const created: JsonObject[] = []
  let node = NODE_OBJECT
  const events = new Set<ServerResponse>()
  const happened = (): void => {
    for (const one of events) one.write('{"Type":"service","Action":"update"}\n')
  }

  const create = (spec: JsonObject): Answer => {
    const name = nameOf(spec)
    const refusal = refusalOf(spec)
    if (refusal !== undefined) return [400, { message: refusal }]
    if (services.has(name)) return [409, { message: `${CONFLICT}: service ${name} already exists` }]
    created.push(spec)
    services.set(name, new Made(spec))
    happened()
    return [201, { ID: name, Warnings: null }]
  }

  const remove = (name: string): Answer => {
    if (!services.delete(name)) return NOT_FOUND
    happened()
    return [200, undefined]
  }

  /** What a GET finds: undefined where there is no such thing. */
  const found = (kind: string, name: string, filters: Filters): unknown => {
    const all = [...services.values()]
    switch (kind) {
      case 'version':
        return version
      case 'info':
        return INFO
      case 'nodes':
        return [node]
      case 'secrets':
      case 'configs':
        return [{ ID: `id-of-${kind}`, Spec: { Name: 'granted' } }]
      case 'networks':
        return [{ Name: 'back', Id: 'net1' }]
      case 'distribution':
        return { Descriptor: { digest: DIGEST, size: 1 }, Platforms: [] }
      case 'containers':
        return { State: { OOMKilled: true } }
      case 'services':
        if (name !== '') return services.get(name)?.service
        return all.filter((one) => one.bears(filters)).map(({ service }) => service)
      case 'tasks':
        if (name !== '') return taskNamed(name)?.task
        return all.filter((one) => one.isMeant(filters)).map(({ task }) => task)
      default:
        return undefined
    }
  }
  const taskNamed = (id: string) => services.get(id.replace(/^task-/, ''))

  const get = (url: URL, response: ServerResponse): void => {
    const [, kind = '', name = '', more] = url.pathname.split('/')
    const made = more === 'logs' ? taskNamed(name) : undefined
    if (made !== undefined) made.log(response)
    else if (kind === 'events') {
      events.add(response)
      response.on('close', () => events.delete(response))
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    } else {
      const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as Filters
      const body = found(kind, name, filters)
      send(response, body === undefined ? NOT_FOUND : [200, body])
    }
  }

  const engine = await fakeEngine((request, response) => {
    const url = new URL(request.url ?? '', 'http://engine')
    const [, asked] = /^\/v(\d+\.\d+)\//.exec(url.pathname) ?? []
    if (asked !== undefined) {
      const least = `Minimum supported API version is ${version.MinAPIVersion}`
      const advice = 'please upgrade your client to a newer version'
      send(response, [400, { message: `client version ${asked} is too old. ${least}, ${advice}` }])
    } else if (request.method === 'GET') get(url, response)
    else if (request.method === 'DELETE') send(response, remove(url.pathname.split('/')[2] ?? ''))
    else
      void bodyOf(request).then((spec) => {
        send(response, create(spec))
      })
  })
  return Object.assign(engine, {
    created,
    tell(name: string, told: Told): void {
      services.get(name)?.tell(told)
      happened()
    },
    tellNode(state: string): void {
      node = { ...node, Status: { State: state } }
      happened()
    },
    output(name: string, text: string): void {
      services.get(name)?.write(text)
    },
  })
}

interface Version {
  readonly Version: string
  readonly ApiVersion: string
  readonly MinAPIVersion: string
}

type Answer = readonly [status: number, body: unknown]

const NOT_FOUND: Answer = [404, { message: 'page not found' }]
const CONFLICT = 'rpc error: code = AlreadyExists desc = name conflicts with an existing object'

type Filters = Readonly<Record<string, readonly string[] | undefined>>

/** A service that was made, and the one task of it. */
class Made {
  readonly service: ServiceView
  task: TaskView
  #output = ''

  constructor(spec: JsonObject) {
    const name = nameOf(spec)
    this.service = { ID: name, Spec: spec as unknown as ServiceView['Spec'] }
    this.task = {
      ID: `task-${name}`,
      CreatedAt: '2026-01-01T00:00:00Z',
      ServiceID: name,
      NodeID: NODE,
      DesiredState: 'running',
      Status: { State: 'running', Message: 'started' },
      Spec: spec['TaskTemplate'] as TaskView['Spec'],
    }
  }

  tell({ DesiredState = this.task.DesiredState, ...status }: Told): void {
    this.task = {
      ...this.task,
      DesiredState,
      Status: { ...status, Timestamp: '2026-01-01T00:00:09Z' },
    }
  }

  write(text: string): void {
    this.#output += text
  }

  bears({ label = [] }: Filters): boolean {
    const own = Object.entries(this.service.Spec.Labels ?? {}).map((pair) => pair.join('='))
    return label.every((one) => own.includes(one))
  }

  isMeant(filters: Filters): boolean {
    const desired = filters['desired-state']
    return this.bears(filters) && (desired?.includes(this.task.DesiredState) ?? true)
  }

  log(response: ServerResponse): void {
    const header = Buffer.alloc(8)
    header[0] = 1
    header.writeUInt32BE(Buffer.byteLength(this.#output), 4)
    response
      .writeHead(200, { 'content-type': 'application/vnd.docker.multiplexed-stream' })
      .end(Buffer.concat([header, Buffer.from(this.#output)]))
  }
}

const INFO = {
  SystemTime: '2026-01-01T00:00:00Z',
  Swarm: {
    NodeID: NODE,
    LocalNodeState: 'active',
    ControlAvailable: true,
    Nodes: 1,
    Managers: 1,
    Cluster: { Spec: { Orchestration: { TaskHistoryRetentionLimit: 5 } } },
  },
}

const NODE_OBJECT: NodeView = {
  ID: NODE,
  UpdatedAt: '2026-01-01T00:00:00Z',
  Description: { Hostname: 'worker-1' },
  Status: { State: 'ready' },
}

/** What the managers refuse of a spec. */
function refusalOf(spec: JsonObject): string | undefined {
  const template = spec['TaskTemplate']
  if (!isJsonObject(template))
    return 'rpc error: code = InvalidArgument desc = TaskTemplate: missing'
  const resources = isJsonObject(template['Resources']) ? template['Resources'] : {}
  const reserved = isJsonObject(resources['Reservations']) ? resources['Reservations'] : {}
  const memory = reserved['MemoryBytes']
  if (typeof memory !== 'number' || memory >= 4 * 2 ** 20) return undefined
  return `rpc error: code = InvalidArgument desc = invalid memory value ${memory}: Must be at least 4MiB`
}

function send(response: ServerResponse, [status, body]: Answer): void {
  if (body === undefined) response.writeHead(status).end()
  else json(response, status, body)
}

function nameOf({ Name }: JsonObject): string {
  return typeof Name === 'string' ? Name : ''
}

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = JSON.parse(Buffer.concat(chunks).toString()) as Json
  return isJsonObject(body) ? body : {}
}
