import { Rejected } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { messageIn, type NomadApi, refusal } from './client/nomad-api.ts'

/** How Nomad says that a job is there which was to be created (nomad/structs/job.go). */
const EXISTS = 'Enforcing job modify index'

/**
 * Registers a job that is not there yet; one of that id is left alone. `Rejected` for a job that Nomad
 * will never take. Neither it nor a passing trouble has a status of its own, all are 500 with a text
 * (command/agent/http.go): what is not known by its text is put before the validation, which changes
 * nothing.
 */
export async function register(
  api: NomadApi,
  job: JsonObject,
  signal: AbortSignal,
): Promise<'registered' | 'exists'> {
  const body = { Job: job, EnforceIndex: true, JobModifyIndex: 0 }
  const answer = await api.call('PUT', '/v1/jobs', { signal, body })
  if (answer.status === 200) return 'registered'
  const message = messageIn(answer.body)
  if (message.includes(EXISTS)) return 'exists'
  const permanent = isPermanent(answer.status) || (await invalidity(api, job, signal)) !== undefined
  if (permanent) throw new Rejected('nomad', oneLine(message))
  throw refusal('PUT /v1/jobs', answer)
}

/** A token may get its rights back, and what is too much now may not be so later. */
function isPermanent(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status)
}

/** What is wrong with the job by itself; undefined where nothing is, or nobody says. */
async function invalidity(
  api: NomadApi,
  job: JsonObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const body = { Job: job }
  const answer = await api.call('PUT', '/v1/validate/job', { signal, body })
  if (answer.status !== 200) return undefined
  const { Error: error = '' } = answer.body as { readonly Error?: string }
  return error === '' ? undefined : error
}

/** `1 error occurred:\n\t* Task main validation failed: …` */
function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim()
}
