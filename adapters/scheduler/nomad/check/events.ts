import { Unavailable } from '../../../../src/core/errors.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import { NOBODY } from './permissions.ts'
import type { NomadApi } from '../client/nomad-api.ts'
import { subscribe } from '../watch/event-stream.ts'

const EVENTS_MS = 5_000

/** Whether the events can be subscribed to: a denial shows in their absence alone. */
export async function checkEvents(api: NomadApi, signal: AbortSignal): Promise<CheckResult> {
  const name = 'events'
  const left = new AbortController()
  try {
    const until = AbortSignal.any([signal, left.signal])
    await subscribe(api, { signal: until, mentions: NOBODY, firstMs: EVENTS_MS })
    return { name, ok: true, message: 'the event stream can be subscribed to' }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    return {
      name,
      ok: false,
      message: error.message,
      remedy: 'see `permissions`, and `enable_event_broker` of the servers',
    }
  } finally {
    left.abort()
  }
}
