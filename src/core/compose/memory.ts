import { atPointer } from '../json.ts'
import type { Service } from '../task-type.ts'
import { parseBytes } from './bytes.ts'

/** The service's memory limit in bytes, where it has one. */
export function memoryLimitBytes({ compose }: Pick<Service, 'compose'>): number | undefined {
  const limit = atPointer(compose, '/deploy/resources/limits/memory') ?? compose['mem_limit']
  return typeof limit === 'string' || typeof limit === 'number' ? parseBytes(limit) : undefined
}
