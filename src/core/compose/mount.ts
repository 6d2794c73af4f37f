import type { Json, JsonObject } from '../json.ts'

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

/** Of how strictly a Mac sees the same as its virtual machine: nothing to a node. */
export const CONSISTENCIES: readonly string[] = ['consistent', 'cached', 'delegated']

/** A mount's short form, `source:/target:options`, as its long one. What is none is thrown as `refused`. */
export function longMount(written: string, refused: (why: string) => Error): JsonObject {
  const parts = written.split(':')
  if (parts.length === 1) return { type: 'volume', target: written }
  if (parts.length > 3) throw refused(`'${written}' is not source:/target:options`)
  const [source = '', target = '', options = ''] = parts
  const bind = /^[./~]/.test(source)
  const form: Record<string, Json> = { type: bind ? 'bind' : 'volume', source, target }
  for (const option of options.split(',').filter((one) => one !== '')) {
    if (option === 'ro') form['read_only'] = true
    else if (PROPAGATIONS.includes(option)) form['bind'] = { propagation: option }
    else if (option === 'nocopy') form['volume'] = { nocopy: true }
    else if (option !== 'rw' && !CONSISTENCIES.includes(option)) {
      throw refused(`there is no mount option '${option}'`)
    }
  }
  return form
}
