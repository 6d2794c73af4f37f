import { asksNothing } from '../../../../src/core/compose/unread.ts'
import { isIP } from 'node:net'
import { number, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type JsonObject } from '../../../../src/core/json.ts'
import type { Translate } from './placed.ts'
import { Unhonoured } from './unhonoured.ts'
import { flag, pairs, texts } from './values.ts'

/** Keys that mean the same to docker and to podman, under a name of the driver's. */

export const asText =
  (key: string): Translate =>
  (value, { path }) => {
    const written = text(value, path.join('.'))
    return written === undefined || written === '' ? {} : { config: { [key]: written } }
  }

export const asTexts =
  (key: string): Translate =>
  (value, { path }) => {
    const written = texts(value, path)
    return written.length === 0 ? {} : { config: { [key]: written } }
  }

/** Only what is switched on is said: off is how it is anyhow. */
export const asFlag =
  (key: string): Translate =>
  (value, { path }) =>
    flag(value, path) === true ? { config: { [key]: true } } : {}

export const asPairs =
  (key: string): Translate =>
  (value, { path }) => {
    const written = pairs(value, path)
    return Object.keys(written).length === 0 ? {} : { config: { [key]: [written] } }
  }

/** One of the values that make sense for a task that is alone. */
export const asOneOf =
  (key: string, values: readonly string[]): Translate =>
  (value, { path }) => {
    const written = text(value, path.join('.')) ?? ''
    if (values.includes(written)) return { config: { [key]: written } }
    throw new Unhonoured(path, `must be ${values.join(' or ')}, not '${written}'`)
  }

export const user: Translate = (value) => {
  const written = text(value, 'user')
  return written === undefined ? {} : { task: { User: written } }
}

export const folderInContainer =
  (key: string): Translate =>
  (value, { path }) => {
    const folder = text(value, 'working_dir') ?? ''
    if (!folder.startsWith('/')) {
      throw new Unhonoured(path, `'${folder}' must be an absolute path in the container`)
    }
    return { config: { [key]: folder } }
  }

/** Compose's `name:address`, which is the drivers' as well. */
export const extraHosts: Translate = (value, { path }) => {
  const lines = isJsonObject(value)
    ? Object.entries(pairs(value, path)).map(([name, address]) => [name, address] as const)
    : texts(value, path).map((line) => {
        const at = line.search(/[=:]/)
        return [line.slice(0, Math.max(0, at)), line.slice(at + 1)] as const
      })
  const hosts = lines.map(([name, written]) => {
    const address = written.replace(/^\[(.*)\]$/, '$1')
    if (name === '' || (isIP(address) === 0 && address !== 'host-gateway')) {
      throw new Unhonoured(path, `'${written}' is no address`)
    }
    return `${name}:${address}`
  })
  return hosts.length === 0 ? {} : { config: { extra_hosts: hosts } }
}

export const ulimits: Translate = (value, { path }) => {
  const limits = Object.entries(isJsonObject(value) ? value : {}).map(([name, limit]) => {
    const at = [...path, name]
    const both: JsonObject = isJsonObject(limit) ? limit : { soft: limit, hard: limit }
    const soft = number(both['soft'], at.join('.'))
    const hard = number(both['hard'], at.join('.'))
    const one = soft ?? hard
    if (one === undefined) throw new Unhonoured(at, 'write a number, or `soft` and `hard`')
    return [name, `${soft ?? one}:${hard ?? one}`]
  })
  return limits.length === 0 ? {} : { config: { ulimit: [Object.fromEntries(limits)] } }
}

export const pullPolicy: Translate = (value, { path }) => {
  const written = text(value, 'pull_policy') ?? ''
  if (written === 'always') return { config: { force_pull: true } }
  if (written === 'missing' || written === 'if_not_present') return {}
  throw new Unhonoured(path, `a node pulls what it does not have, or \`always\`, not '${written}'`)
}

/** Nomad looks at the health of services alone; an image's own check says nothing to it. */
export const noHealthCheck: Translate = (value, { path }) => {
  const check = isJsonObject(value) ? value : {}
  const test = texts(check['test'], [...path, 'test'])
  const off = flag(check['disable'], [...path, 'disable']) === true || test[0] === 'NONE'
  if (off || asksNothing(value)) return {}
  throw new Unhonoured(path, 'Nomad checks the health of services alone: let the program end')
}
