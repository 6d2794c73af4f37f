import {
  openPostgresStore,
  type PostgresOptions,
} from '../../../../adapters/store/postgres/open.ts'
import { systemClock } from '../../../../src/app/system-clock.ts'
import type { Store } from '../../../../src/ports/store.ts'
import { startProxy, type Proxy } from '../../../support/proxy.ts'
import { QuietLogger } from '../../../support/store.ts'

/** Opens a store by the machine's own clocks. */
export function openStore(
  url: string,
  differs: Partial<PostgresOptions & { readonly migrate: boolean }> = {},
): Promise<Store> {
  return openPostgresStore({ url, clock: systemClock, logger: new QuietLogger(), ...differs })
}

/** The way to the same database through a network that can be frozen. */
export async function proxied(url: string): Promise<Proxy & { readonly url: string }> {
  const through = new URL(url)
  const proxy = await startProxy(Number(through.port || 5432))
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  return { ...proxy, url: through.href }
}

export const NEVER = new AbortController().signal
