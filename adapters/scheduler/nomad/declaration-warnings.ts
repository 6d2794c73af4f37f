import { unread } from '../../../src/core/compose/unread.ts'
import { isExternal, realName } from '../../../src/core/compose/declared.ts'
import { list } from '../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, member } from '../../../src/core/json.ts'
import type { Service } from '../../../src/core/task-type.ts'
import { grantsOf } from './job/grants.ts'
import { isComposeDefault } from './job/networks.ts'
import type { Subject } from './job/placed.ts'

type Kind = 'secrets' | 'configs' | 'networks'

/** What the service names of the top level, and how it must be there without Longhaul. */
interface Use {
  readonly kind: Kind
  readonly name: string
  readonly needs: string
}

/**
 * Nothing is ever created: what is not declared external would be expected to be made by somebody, and
 * what is said of how to make it is passed over.
 */
export function declarationWarnings(subject: Omit<Subject, 'path'>): readonly string[] {
  const { service } = subject.unit
  const volumes = Object.keys(subject.settings.volumes).flatMap((name) =>
    unsaid(member(service.declared?.volumes, name)).map(
      (key) => `volumes.${name}.${key} says nothing: the volume is Nomad's own`,
    ),
  )
  const uses = [...grantUses(subject), ...networkUses(service)]
  const others = uses.flatMap(({ kind, name, needs }) => {
    const declaration = member(service.declared?.[kind], name)
    if (!isExternal(declaration)) {
      return [`${kind}.${name} is never created by Longhaul: ${needs} (\`external: true\`)`]
    }
    return unsaid(declaration).map(
      (key) => `${kind}.${name}.${key} says nothing: what is external is there already`,
    )
  })
  return [...others, ...volumes]
}

/** Compose's own network of a project is none that Nomad's drivers would have. */
export function defaultNetworkWarnings(service: Service): readonly string[] {
  return networksIn(service).some((name) => isComposeDefault(name, service))
    ? [
        "networks.default: nothing makes one, so that the task gets its driver's bridge on the node, unless `default` is declared as external",
      ]
    : []
}

function grantUses(subject: Omit<Subject, 'path'>): readonly Use[] {
  const { compose } = subject.unit.service
  return (['secrets', 'configs'] as const).flatMap((kind) =>
    grantsOf(compose[kind] ?? null, kind, { ...subject, path: [kind] }).map(
      ({ source, path, item }) => {
        const needs = `its value must be in the item \`${item}\` of the variable ${path}`
        return { kind, name: source, needs }
      },
    ),
  )
}

function networkUses(service: Service): readonly Use[] {
  return networksIn(service)
    .filter((name) => !isComposeDefault(name, service))
    .map((name) => {
      const real = realName(member(service.declared?.networks, name), name)
      return { kind: 'networks', name, needs: `the driver must have \`${real}\` on the nodes` }
    })
}

function networksIn({ compose: { networks } }: Service): readonly string[] {
  if (isJsonObject(networks)) return Object.keys(networks)
  return list(networks).filter((name) => typeof name === 'string')
}

function unsaid(declaration: Json | undefined): readonly string[] {
  return isJsonObject(declaration) ? unread(declaration, ['name', 'external']) : []
}
