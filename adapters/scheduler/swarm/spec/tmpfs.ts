import { parseBytes } from '../../../../src/core/compose/bytes.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import { present, presentOrNone, refused } from './draft.ts'

/** `/run:size=64m,mode=1777` as a mount. */
export function tmpfsMount(written: string): JsonObject {
  const { target, size, mode, others } = tmpfsParts(written)
  const bytes = size === undefined ? undefined : parseBytes(size)
  if (size !== undefined && bytes === undefined) throw refused('tmpfs', `'${size}' is no size`)
  if (mode !== undefined && !/^[0-7]+$/.test(mode)) throw refused('tmpfs', `'${mode}' is no mode`)
  return present({
    Type: 'tmpfs',
    Target: target,
    TmpfsOptions: presentOrNone({
      SizeBytes: bytes,
      Mode: mode === undefined ? undefined : Number.parseInt(mode, 8),
      Options: others.length === 0 ? undefined : others,
    }),
  })
}

/** Size and mode have fields of their own; any other option goes as it is. */
export function tmpfsParts(written: string): {
  readonly target: string
  readonly size?: string
  readonly mode?: string
  /** Each its name, and its value where it has one. */
  readonly others: readonly (readonly string[])[]
} {
  const [target = '', options = ''] = written.split(':')
  const found: { size?: string; mode?: string } = {}
  const others: (readonly string[])[] = []
  for (const option of options.split(',').filter((one) => one !== '')) {
    const [name = '', value] = option.split('=')
    if ((name === 'size' || name === 'mode') && value !== undefined) found[name] = value
    else if (name !== 'rw') others.push(value === undefined ? [name] : [name, value])
  }
  return { target, ...found, others }
}
