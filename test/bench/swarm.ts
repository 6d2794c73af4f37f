import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cannotRunEngines, type Engine, openEngine } from '../support/engine.ts'
import { TASK_IMAGE, taskImageArchive } from '../support/task-image.ts'

/** How a daemon hears of what happens to its tasks. */
export type Way = 'control' | 'listing'
export const WAYS: readonly Way[] = ['control', 'listing']
export const WAY_WORDS: Readonly<Record<Way, string>> = {
  control: 'by control socket',
  listing: 'by listing',
}

export interface Sockets {
  readonly docker: string
  readonly control: string
}

/** A swarm of one node, with the image of the tasks and nothing else in it. */
export class Swarm implements AsyncDisposable {
  readonly #engine: Engine

  private constructor(engine: Engine) {
    this.#engine = engine
  }

  static cannotOpen(): Promise<string | undefined> {
    return cannotRunEngines()
  }

  static async open(): Promise<Swarm> {
    const engine = await openEngine()
    const swarm = new Swarm(engine)
    try {
      await engine.docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
      const archive = await taskImageArchive(engine.folder)
      await engine.docker('import', '-c', 'ENV PATH=/bin', archive, TASK_IMAGE)
    } catch (error) {
      await swarm[Symbol.asyncDispose]()
      throw error
    }
    return swarm
  }

  get sockets(): Sockets {
    const { socket, execRoot } = this.#engine
    return { docker: socket, control: join(execRoot, 'swarm/control.sock') }
  }

  get dockerdPid(): number {
    return Number(readFileSync(join(this.#engine.folder, 'pid'), 'utf8'))
  }

  /** Ends at once what runs in it: nobody waits for a thousand services to be removed one by one. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.powerOff()
    await this.#engine[Symbol.asyncDispose]()
  }
}

/** Of the daemon's file. */
export function schedulerBy(way: Way, { docker, control }: Sockets): object {
  const scheduler = { kind: 'swarm', socket: docker }
  return way === 'control' ? { ...scheduler, control_socket: control } : scheduler
}
