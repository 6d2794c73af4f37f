import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { linesOf } from '../../adapters/scheduler/nomad/watch/lines.ts'
import type { NomadScheduler } from '../../adapters/scheduler/nomad/scheduler.ts'

/** Hears how units end. */
export interface Ends extends AsyncDisposable {
  /** Resolves once its end has been told. */
  of(unit: string): Promise<void>
}

export interface RawEnds extends Ends {
  /** Of a unit that has ended. */
  allocationOf(unit: string): string
}

/** As the adapter's watch tells it. Subscribed once it resolves. */
export async function watchedEnds(scheduler: NomadScheduler): Promise<Ends> {
  const left = new AbortController()
  const told = await scheduler.watch(left.signal)
  const heard = new Heard()
  const reading = (async () => {
    for await (const { unit, phase } of told) if (phase === 'exited') heard.add(unit)
  })()
  return {
    of: (unit) => heard.has(unit),
    async [Symbol.asyncDispose]() {
      left.abort()
      await reading
    },
  }
}

/** As the stream of events tells it to whoever cuts it into lines, parses each, and does no more. */
export async function rawEnds(address: string): Promise<RawEnds> {
  const query = `index=${Number.MAX_SAFE_INTEGER}&topic=Job&topic=Allocation&topic=Evaluation`
  const request = get(`${address}/v1/event/stream?${query}`)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const heard = new Heard()
  const allocations = new Map<string, string>()
  const reading = (async () => {
    for await (const line of linesOf(response)) {
      const { Events: events = [] } = JSON.parse(line.toString()) as { readonly Events?: Event[] }
      for (const { Payload } of events) {
        if (Payload.Allocation?.ClientStatus !== 'complete') continue
        const { ID, JobID } = Payload.Allocation
        allocations.set(JobID, ID)
        heard.add(JobID)
      }
    }
  })()
  return {
    of: (unit) => heard.has(unit),
    allocationOf: (unit) => allocations.get(unit) ?? '',
    async [Symbol.asyncDispose]() {
      request.destroy()
      // It is cut in the middle.
      await reading.catch(() => undefined)
    },
  }
}

interface Event {
  readonly Payload: {
    readonly Allocation?: {
      readonly ID: string
      readonly JobID: string
      readonly ClientStatus: string
    }
  }
}

/** Names, and those who wait for one. */
class Heard {
  readonly #names = new Set<string>()
  readonly #waiting = new Map<string, () => void>()

  add(name: string): void {
    this.#names.add(name)
    this.#waiting.get(name)?.()
  }

  async has(name: string): Promise<void> {
    if (this.#names.has(name)) return
    await new Promise<void>((resolve) => this.#waiting.set(name, resolve))
  }
}
