import { parseBytes } from '../../../../src/core/compose/bytes.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import { needsApi, present, presentOrNone, refused } from './draft.ts'
import type { SwarmFacts } from './draft.ts'

/** `/run:size=64m,mode=1777`: size and mode in every engine, any other option from API 1.46 on. */
export function tmpfsMount(written: string, facts: Pick<SwarmFacts, 'api'>): JsonObject {
  const [target = '', options = ''] = written.split(':')
  const others: (readonly string[])[] = []
  let size: number | undefined
  let mode: number | undefined
  for (const option of options.split(',').filter((one) => one !== '')) {
    const [name = '', value] = option.split('=')
    if (name === 'size' && value !== undefined) {
      size = parseBytes(value)
      if (size === undefined) throw refused('tmpfs', `'${value}' is no size`)
    } else if (name === 'mode' && value !== undefined) {
      if (!/^[0-7]+$/.test(value)) throw refused('tmpfs', `'${value}' is no mode`)
      mode = Number.parseInt(value, 8)
    } else if (name !== 'rw') {
      needsApi(facts, `tmpfs: the option '${name}'`, 46)
      others.push(value === undefined ? [name] : [name, value])
    }
  }
  return present({
    Type: 'tmpfs',
    Target: target,
    TmpfsOptions: presentOrNone({
      SizeBytes: size,
      Mode: mode,
      Options: others.length === 0 ? undefined : others,
    }),
  })
}
