import { Rejected } from '../../../src/core/errors.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { messageIn, type NomadApi, refusal } from './client/nomad-api.ts'

/** How Nomad says that a job is there which was to be created (nomad/structs/job.go). */
const EXISTS = 'Enforcing job modify index'
/** A namespace may be made while the job waits (nomad/job_endpoint_validators.go). */
const NO_NAMESPACE = 'is in nonexistent namespace'

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
  if (isPermanent(answer.status)) throw new Rejected('nomad', oneLine(message))
  const invalid = await invalidity(api, job, signal)
  if (invalid !== undefined) throw new Rejected('nomad', oneLine(invalid))
  throw refusal('PUT /v1/jobs', answer)
}

/** A token may get its rights back, and what is too much now may not be so later. */
function isPermanent(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 429].includes(status)
}

/**
 * What is wrong with the job by itself; undefined where nothing is, or nobody says. A validation takes
 * the namespace from the job, not from the query, and is refused to a token of another one
 * (command/agent/job_endpoint.go, ValidateJobRequest).
 */
async function invalidity(
  api: NomadApi,
  job: JsonObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const body = { Job: { ...job, Namespace: api.namespace } }
  const answer = await api.call('PUT', '/v1/validate/job', { signal, body })
  if (answer.status !== 200) return undefined
  const { ValidationErrors: errors } = answer.body as {
    readonly ValidationErrors?: readonly string[] | null
  }
  const permanent = (errors ?? []).filter((error) => !error.includes(NO_NAMESPACE))
  return permanent.length === 0 ? undefined : permanent.join('; ')
}

/** `Task group attempt validation failed: 1 error occurred:\n\t* …` */
function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim()
}
