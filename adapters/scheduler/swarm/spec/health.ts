import { duration, number, object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import { flag, nanoseconds, present, refused } from './draft.ts'

/**
 * An image's own check is switched off unless the type writes one: it is meant for servers, and a task
 * would count as starting until it succeeds.
 */
export function healthOf(value: Json | undefined): JsonObject {
  const check = object(value, 'healthcheck')
  if (value === undefined || value === null || flag(check['disable'], 'healthcheck.disable')) {
    return { Test: ['NONE'] }
  }
  const of = (key: string): [Json | undefined, string] => [check[key], `healthcheck.${key}`]
  return present({
    Test: testOf(check['test']),
    Interval: nanoseconds(duration(...of('interval'))),
    Timeout: nanoseconds(duration(...of('timeout'))),
    Retries: number(...of('retries')),
    StartPeriod: nanoseconds(duration(...of('start_period'))),
    StartInterval: nanoseconds(duration(...of('start_interval'))),
  })
}

function testOf(value: Json | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return ['CMD-SHELL', value]
  const words = Array.isArray(value) ? value.map((one: Json) => text(one, 'test') ?? '') : []
  if (['NONE', 'CMD', 'CMD-SHELL'].includes(words[0] ?? '')) return words
  throw refused('healthcheck.test', 'a list begins with CMD, CMD-SHELL or NONE')
}
