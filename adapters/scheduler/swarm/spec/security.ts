import { object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import { present, presentOrNone, refused, texts } from './draft.ts'

/** `security_opt` and `credential_spec`. What an engine would drop without a word is refused. */
export function privilegesOf(compose: JsonObject): JsonObject | undefined {
  const privileges: Record<string, Json> = {}
  const selinux: Record<string, Json> = {}
  for (const option of texts(compose['security_opt'], 'security_opt') ?? []) {
    const [name = '', ...rest] = option.split(/[=:]/)
    const value = rest.join(':')
    if (name === 'label') Object.assign(selinux, selinuxOf(value))
    else Object.assign(privileges, privilegeOf(name, value, option))
  }
  return presentOrNone({
    CredentialSpec: credentialsOf(compose['credential_spec']),
    SELinuxContext: presentOrNone(selinux),
    ...privileges,
  })
}

function privilegeOf(name: string, value: string, option: string): JsonObject {
  if (name === 'no-new-privileges') return { NoNewPrivileges: value !== 'false' }
  if (name === 'seccomp' && value === 'unconfined') return { Seccomp: { Mode: 'unconfined' } }
  if (name === 'apparmor' && value === 'unconfined') return { AppArmor: { Mode: 'disabled' } }
  throw refused('security_opt', `Swarm has no '${option}'`)
}

const SELINUX = { user: 'User', role: 'Role', type: 'Type', level: 'Level' } as const

function selinuxOf(value: string): JsonObject {
  if (value === 'disable') return { Disable: true }
  const [part = '', ...rest] = value.split(':')
  if (!Object.hasOwn(SELINUX, part)) throw refused('security_opt', `there is no label '${part}'`)
  return { [SELINUX[part as keyof typeof SELINUX]]: rest.join(':') }
}

function credentialsOf(value: Json | undefined): JsonObject | undefined {
  if (value === undefined || value === null) return undefined
  const spec = object(value, 'credential_spec')
  if (spec['config'] !== undefined) {
    throw refused('credential_spec.config', 'write `file` or `registry`')
  }
  return present({
    File: text(spec['file'], 'credential_spec.file'),
    Registry: text(spec['registry'], 'credential_spec.registry'),
  })
}
