import { asksNothing, unread } from '../../../../src/core/compose/unread.ts'
import { isExternal, realName } from '../../../../src/core/compose/declared.ts'
import { object, text } from '../../../../src/core/compose/reader.ts'
import { type JsonObject, member } from '../../../../src/core/json.ts'
import { type GrantKind, grantsOf, templateOf } from './grants.ts'
import { bindOptions, folderOfNode, type Mount, mountsIn } from './mount-form.ts'
import { nomadVolume } from './nomad-volumes.ts'
import { type Placed, together, type Translate } from './placed.ts'
import { dockerTmpfs, tmpfsOfMount } from './tmpfs.ts'
import { dotted, type Path, Unhonoured } from './unhonoured.ts'
import { flag, onlyKnows, pairs, present } from './values.ts'

export const inMounts = (...mounts: readonly JsonObject[]): Placed =>
  mounts.length === 0 ? {} : { config: { mount: mounts } }

export const grants =
  (kind: GrantKind): Translate =>
  (value, subject) =>
    together(
      grantsOf(value, kind, subject).map((grant) => ({
        task: { Templates: [templateOf(grant)] },
        ...inMounts({ type: 'bind', source: grant.file, target: grant.target, readonly: true }),
      })),
    )

/** Folders of the node and volumes of docker's need `volumes.enabled` of the node's docker plugin. */
export const volumes: Translate = (value, subject) =>
  together(
    mountsIn(value, subject.path).map(
      (mount) =>
        nomadVolume(mount, subject) ??
        inMounts(mountOf(mount, subject.unit.service.declared?.volumes)),
    ),
  )

function mountOf(mount: Mount, declared: JsonObject | undefined): JsonObject {
  const { type, source, target, readOnly } = mount
  if (type === 'tmpfs') return dockerTmpfs(tmpfsOfMount(mount))
  if (type === 'volume') {
    return present({
      type,
      target,
      readonly: readOnly,
      ...volumeOf(mount, object(member(declared, source ?? ''), `volumes.${source ?? ''}`)),
    })
  }
  const { propagation } = bindOptions(mount)
  return present({
    type,
    source: folderOfNode(mount),
    target,
    readonly: readOnly,
    bind_options: propagation === undefined ? undefined : { propagation },
  })
}

function volumeOf({ written, path, source }: Mount, declared: JsonObject) {
  if (!asksNothing(written['bind'] ?? null)) {
    throw new Unhonoured([...path, 'bind'], 'only a folder has a propagation')
  }
  const at = [...path, 'volume']
  const options = object(written['volume'], dotted(at))
  onlyKnows(options, ['nocopy', 'labels'], at, {
    subpath: 'the driver mounts a volume whole',
  })
  const made = declaredOf(declared, source ?? '', path)
  const labels = { ...made.labels, ...pairs(options['labels'], [...at, 'labels']) }
  const config = present({
    name: made.driver,
    options: Object.keys(made.options).length === 0 ? undefined : [made.options],
  })
  const volumeOptions = present({
    no_copy: flag(options['nocopy'], [...at, 'nocopy']),
    labels: Object.keys(labels).length === 0 ? undefined : [labels],
    driver_config: Object.keys(config).length === 0 ? undefined : config,
  })
  return {
    source: source === undefined ? undefined : realName(declared, source),
    volume_options: Object.keys(volumeOptions).length === 0 ? undefined : volumeOptions,
  }
}

/** How docker is to make a volume that is not there yet. */
function declaredOf(declared: JsonObject, name: string, path: Path) {
  const known = isExternal(declared) ? [] : ['driver', 'driver_opts', 'labels']
  const [odd] = unread(declared, ['name', 'external', ...known])
  if (odd !== undefined) {
    throw new Unhonoured(path, `\`${odd}\` of the volume \`${name}\` says nothing to docker`)
  }
  return {
    driver: text(declared['driver'], `volumes.${name}.driver`),
    options: pairs(declared['driver_opts'], path),
    labels: pairs(declared['labels'], path),
  }
}
