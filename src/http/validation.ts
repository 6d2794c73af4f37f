import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'
import type { ErrorDetail } from '../core/messages.ts'

/** Mistakes beyond this many are not named. */
const MOST_ERRORS = 100

/** Bodies are taken as they are; parameters are text, which becomes numbers and booleans. */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const options = { allErrors: true, strict: true, strictTypes: false }
  const bodies = new Ajv2020(options)
  const parameters = new Ajv2020({ ...options, coerceTypes: true })
  addFormats.default(bodies)
  addFormats.default(parameters)
  return ({ schema, httpPart }) => (httpPart === 'body' ? bodies : parameters).compile(schema)
}

/** As fastify hands over what the validators found in one part of a request. */
export function errorDetails(
  part: string,
  errors: readonly Pick<ErrorObject, 'instancePath' | 'message' | 'params'>[],
): readonly ErrorDetail[] {
  return errors.slice(0, MOST_ERRORS).map(({ instancePath, message = 'is wrong', params }) => {
    const extra: unknown = params['additionalProperty']
    const allowed: unknown = params['allowedValues']
    const more =
      typeof extra === 'string'
        ? `: ${extra}`
        : Array.isArray(allowed)
          ? `: ${allowed.join(', ')}`
          : ''
    const where = part === 'body' ? '' : `${part} `
    return { code: 'request', pointer: instancePath, message: `${where}${message}${more}` }
  })
}
