import { cannotRunEngines, type Engine, openEngine } from './engine.ts'
import { requireOrSkip } from './services.ts'
import { until } from './store.ts'
import { TASK_IMAGE, taskImageArchive } from './task-image.ts'

/** One dockerd that is the manager of a one-node swarm. */
export type Dockerd = Omit<Engine, 'holder' | 'powerOff'>

/** Called in a `describe`: one for the whole run, started where it is first needed. */
export function useDockerd(): () => Dockerd {
  let dockerd: Dockerd | undefined
  before(async function () {
    this.timeout(120_000)
    const why = await cannotRunEngines()
    requireOrSkip(this, 'Docker Swarm', why === undefined, why ?? '')
    opening ??= openDockerd()
    dockerd = await opening
  })
  return () => dockerd!
}

let opening: Promise<Dockerd> | undefined

// On the root suite: this file is loaded while no suite is being described.
after(async function () {
  this.timeout(60_000)
  await (await opening)?.[Symbol.asyncDispose]()
  opening = undefined
})

/** One of the caller's own: to be killed and started again. */
export async function openDockerd(): Promise<Dockerd> {
  const engine = await openEngine()
  const docker = (...args: readonly string[]) => engine.docker(...args)
  try {
    await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
    await docker('import', '-c', 'ENV PATH=/bin', await taskImageArchive(engine.folder), TASK_IMAGE)
  } catch (error) {
    await engine[Symbol.asyncDispose]()
    throw error
  }
  return {
    ...engine,
    async [Symbol.asyncDispose]() {
      try {
        if (!(await answers(engine))) await engine.start()
        for (const service of (await docker('service', 'ls', '-q')).split('\n').filter(Boolean)) {
          await docker('service', 'rm', service)
        }
        await until(async () => (await docker('ps', '-aq')) === '', 'no container is left', 30_000)
      } finally {
        await engine[Symbol.asyncDispose]()
      }
    },
  }
}

function answers(engine: Engine): Promise<boolean> {
  return engine.docker('version').then(Boolean, () => false)
}
