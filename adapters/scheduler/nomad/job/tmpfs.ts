import { parseBytes } from '../../../../src/core/compose/bytes.ts'
import { bytes, fileMode, object } from '../../../../src/core/compose/reader.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import type { Mount } from './mount-form.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'
import { onlyKnows, present } from './values.ts'

/** A folder in memory: how large, and with which mode. */
export interface Tmpfs {
  readonly target: string
  readonly size?: number
  readonly mode?: number
  readonly readOnly?: boolean
}

/** `/run:size=64m,mode=1777`. */
export function tmpfsOf(written: string, path: Path): Tmpfs {
  const [target = '', options = ''] = written.split(':')
  let found: Tmpfs = { target }
  for (const option of options.split(',').filter((one) => one !== '' && one !== 'rw')) {
    const [name = '', value = ''] = option.split('=')
    const size = name === 'size' ? parseBytes(value) : undefined
    const mode = name === 'mode' && /^[0-7]+$/.test(value) ? Number.parseInt(value, 8) : undefined
    if (size === undefined && mode === undefined) {
      throw new Unhonoured(path, `docker knows \`size\` and \`mode\` alone, not '${option}'`)
    }
    found = { ...found, ...(size !== undefined && { size }), ...(mode !== undefined && { mode }) }
  }
  return found
}

export function tmpfsOfMount({ written, path, target, readOnly }: Mount): Tmpfs {
  const at = [...path, 'tmpfs']
  const options = object(written['tmpfs'], dotted(at))
  onlyKnows(options, ['size', 'mode'], at)
  const size = bytes(options['size'], dotted([...at, 'size']))
  const mode = fileMode(options['mode'], dotted([...at, 'mode']))
  return {
    target,
    ...(size !== undefined && { size }),
    ...(mode !== undefined && { mode }),
    ...(readOnly !== undefined && { readOnly }),
  }
}

export function dockerTmpfs({ target, size, mode, readOnly }: Tmpfs): JsonObject {
  const options = present({ size, mode })
  return present({
    type: 'tmpfs',
    target,
    readonly: readOnly,
    tmpfs_options: Object.keys(options).length === 0 ? undefined : options,
  })
}

export function podmanTmpfs({ target, size, mode, readOnly }: Tmpfs): string {
  const options = [
    ...(readOnly === true ? ['ro'] : []),
    ...(size === undefined ? [] : [`size=${size}`]),
    ...(mode === undefined ? [] : [`mode=${mode.toString(8)}`]),
  ]
  return options.length === 0 ? target : `${target}:${options.join(',')}`
}
