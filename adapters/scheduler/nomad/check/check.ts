import { errorMessage } from '../../../../src/core/errors.ts'
import type { CheckResult } from '../../../../src/ports/scheduler-adapter.ts'
import { readAgent } from '../agent.ts'
import { messageIn, type NomadApi } from '../client/nomad-api.ts'
import { releaseNotes } from './releases.ts'

/** Whether this Nomad can be used, one line for each thing that it takes. */
export async function checkNomad(
  api: NomadApi,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> {
  return [await agentResult(api, signal), await leaderResult(api, signal)]
}

async function agentResult(api: NomadApi, signal: AbortSignal): Promise<CheckResult> {
  const name = 'nomad'
  try {
    const { version, region } = await readAgent(api, signal)
    const notes = releaseNotes(version)
    const remedy = notes.find(({ usable }) => !usable)?.remedy
    const said = [`Nomad ${version.text}`, `region ${region}`, `namespace ${api.namespace}`]
    return {
      name,
      ok: notes.every(({ usable }) => usable),
      message: [said.join(', '), ...notes.map(({ message }) => message)].join('; '),
      ...(remedy !== undefined && { remedy }),
    }
  } catch (error) {
    return {
      name,
      ok: false,
      message: errorMessage(error),
      remedy:
        'is `scheduler.address` (or NOMAD_ADDR) the HTTP API of a Nomad agent, and may the token `agent:read`?',
    }
  }
}

/** Without one nothing can be registered, and nothing read for certain. */
async function leaderResult(api: NomadApi, signal: AbortSignal): Promise<CheckResult> {
  const name = 'nomad-leader'
  const remedy = 'a majority of the servers must answer: `nomad server members`'
  try {
    const { status, body } = await api.call('GET', '/v1/status/leader', { signal })
    const ok = status === 200 && typeof body === 'string' && body !== ''
    const message = ok ? `the servers' leader is ${body}` : `no leader: ${messageIn(body)}`
    return { name, ok, message, ...(!ok && { remedy }) }
  } catch (error) {
    return { name, ok: false, message: errorMessage(error), remedy }
  }
}
