import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ImageBuilder, openImageBuilder } from './image-builder.ts'
import { until } from './store.ts'
import { type SwarmNode, SwarmNodes } from './swarm-nodes.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

/** How long a test waits for what a stack does; never the thing tested. */
export const LIMIT_MS = 240_000

/**
 * A swarm of a manager, with everything on it that the stacks of this checkout run, and of a worker,
 * with what their tasks run.
 */
export class StackSwarm implements AsyncDisposable {
  readonly manager: SwarmNode
  readonly worker: SwarmNode
  readonly #nodes: SwarmNodes
  readonly #env: NodeJS.ProcessEnv

  private constructor(nodes: SwarmNodes, env: NodeJS.ProcessEnv) {
    this.#nodes = nodes
    this.manager = nodes.node('m1')
    this.worker = nodes.node('w1')
    this.#env = env
  }

  static async open(): Promise<StackSwarm> {
    const nodes = await SwarmNodes.open({ managers: 1, workers: 1, heartbeat: '1s' })
    const { engine } = nodes.node('m1')
    try {
      await using builder = await openImageBuilder()
      const rabbitmq = await builder.base('rabbitmq')
      const postgres = await builder.base('postgres')
      const node = await builder.base('node')
      const images = [await buildLonghaul(builder, node), ...(await buildVideo(builder, node))]
      await builder.load(engine.socket, rabbitmq, postgres, ...images)
      await builder.load(nodes.node('w1').engine.socket, ...images)
      return new StackSwarm(nodes, {
        PATH: process.env['PATH'],
        DOCKER_HOST: `unix://${engine.socket}`,
        // What is elsewhere for a dockerd of a test's own.
        LONGHAUL_DOCKER_SOCKET: engine.socket,
        LONGHAUL_SWARM_FOLDER: join(engine.execRoot, 'swarm'),
        RABBITMQ_IMAGE: rabbitmq,
        POSTGRES_IMAGE: postgres,
      })
    } catch (error) {
      await nodes[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Lines that a person would type on the manager, in the checkout or another folder. */
  async shell(lines: string, cwd = ROOT): Promise<string> {
    const options = { cwd, env: this.#env, maxBuffer: 2 ** 26 }
    const { stdout } = await run('sh', ['-euc', lines], options)
    return stdout.trim()
  }

  /** The containers of a service that run. */
  async containers(service: string): Promise<readonly string[]> {
    const filter = `label=com.docker.swarm.service.name=${service}`
    return words(await this.manager.docker('ps', '-q', '--filter', filter))
  }

  async container(service: string): Promise<string> {
    const [first] = await this.containers(service)
    if (first === undefined) throw new Error(`${service} has no container`)
    return first
  }

  /** Resolves when each service of the stack has as many replicas, all healthy, as it should. */
  async ready(stack: string): Promise<void> {
    await until(
      async () => {
        const format = ['--filter', `name=${stack}_`, '--format', '{{.Replicas}}']
        const replicas = words(await this.manager.docker('service', 'ls', ...format))
        return replicas.length > 0 && replicas.every((one) => /^(\d+)\/\1$/.test(one))
      },
      `${stack} is ready`,
      LIMIT_MS,
    ).catch(async (error: unknown) => {
      const format = '{{.Name}} {{.CurrentState}} {{.Error}}'
      const tasks = await this.manager.docker(
        'stack',
        'ps',
        stack,
        '--no-trunc',
        '--format',
        format,
      )
      throw new Error(tasks, { cause: error })
    })
  }

  /** The command line in a container of the daemon's. */
  async longhaul(service: string, ...args: readonly string[]): Promise<string> {
    return this.manager.docker('exec', await this.container(service), 'longhaul', ...args)
  }

  /** The container that leads, once one does. */
  async leader(service: string): Promise<string> {
    const script =
      "fetch('http://127.0.0.1:8420/metrics', { headers: { authorization: 'Bearer ' + " +
      "require('fs').readFileSync(process.env.LONGHAUL_TOKEN_FILE, 'utf8') } })" +
      '.then(async (answer) => process.exit(/^longhaul_leader 1$/m.test(await answer.text()) ? 0 : 1))'
    let leader: string | undefined
    await until(
      async () => {
        for (const container of await this.containers(service)) {
          const leads = this.manager.docker('exec', container, 'node', '-e', script)
          if (
            await leads.then(
              () => true,
              () => false,
            )
          )
            leader = container
        }
        return leader !== undefined
      },
      'a daemon leads',
      LIMIT_MS,
    )
    return leader!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nodes[Symbol.asyncDispose]()
  }
}

/** The image of this checkout, as its page has it. */
async function buildLonghaul(builder: ImageBuilder, node: string): Promise<string> {
  await builder.build('longhaul', ROOT, '--build-arg', `NODE_IMAGE=${node}`)
  return 'longhaul'
}

/** Those of the example. */
async function buildVideo(builder: ImageBuilder, node: string): Promise<readonly string[]> {
  const targets = ['encoder', 'application']
  for (const target of targets) {
    const args = ['--target', target, '--build-arg', `NODE_IMAGE=${node}`]
    await builder.build(`video-${target}`, join(ROOT, 'examples/video'), ...args)
  }
  return targets.map((target) => `video-${target}`)
}

/** The blocks of shell of a section of a page, so that it cannot say what does not work. */
export async function commandsOf(page: string, heading: string): Promise<readonly string[]> {
  const text = await readFile(join(ROOT, page), 'utf8')
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`${page} has no section ${heading}`)
  return [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands]) => commands ?? '')
}

export function words(text: string): readonly string[] {
  return text.split(/\s+/).filter(Boolean)
}
