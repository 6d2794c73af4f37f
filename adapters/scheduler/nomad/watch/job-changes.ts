import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import type { EventView } from '../views.ts'
import { Wake } from '../../wake.ts'
import type { JobStates } from './job-states.ts'

/**
 * The jobs that events have changed, each once however often, as soon as somebody asks: the stream is
 * read on meanwhile, for a server ends one that is not read for 40 s. Ends and throws as the stream does;
 * `leave`, which must end the stream, is called when no more is asked for.
 */
export async function* changedJobs(
  stream: AsyncIterable<readonly EventView[]>,
  states: JobStates,
  leave: () => void,
): AsyncGenerator<ReadonlySet<string>, void, undefined> {
  const wake = new Wake()
  let changed = new Set<string>()
  let end: { readonly failure?: Unavailable } | undefined
  const reading = (async () => {
    try {
      for await (const events of stream) {
        for (const event of events) {
          const job = states.take(event)
          if (job !== undefined) changed.add(job)
        }
        if (changed.size > 0) wake.raise()
      }
      end = {}
    } catch (error) {
      end = { failure: new Unavailable('watch', errorMessage(error), error) }
    }
    wake.raise()
  })()
  try {
    for (;;) {
      if (changed.size === 0 && end === undefined) await wake.wait()
      const told = changed
      changed = new Set()
      if (told.size > 0) yield told
      else if (end !== undefined) break
    }
    if (end.failure !== undefined) throw end.failure
  } finally {
    leave()
    await reading
  }
}
