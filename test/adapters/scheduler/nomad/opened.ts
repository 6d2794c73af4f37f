import { openNomadScheduler } from '../../../../adapters/scheduler/nomad/open.ts'
import type { NomadScheduler } from '../../../../adapters/scheduler/nomad/scheduler.ts'
import type { Logger } from '../../../../src/ports/logger.ts'

export interface OpenedScheduler extends AsyncDisposable {
  readonly scheduler: NomadScheduler
  readonly logged: { readonly message: string; readonly fields: unknown }[]
}

/** A scheduler of the installation `test` on a Nomad that is replayed. */
export function openedOn(
  address: string,
  { token, ...more }: { readonly namespace?: string; readonly token?: string } = {},
): OpenedScheduler {
  const logged: OpenedScheduler['logged'] = []
  const log = (message: string, fields: unknown) => void logged.push({ message, fields })
  const logger: Logger = { debug: log, info: log, warn: log, error: log }
  const settings = { address, tls: {}, ...more }
  const env = token === undefined ? {} : { NOMAD_TOKEN: token }
  const scheduler = openNomadScheduler({ settings, env, installation: 'test', logger })
  return { scheduler, logged, [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose]() }
}
