import { isExternal, realName } from '../../../../src/core/compose/declared.ts'
import { object, text } from '../../../../src/core/compose/reader.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import { type GrantKind, grantsOf, templateOf } from './grants.ts'
import { folderOfNode, type Mount, mountsIn } from './mount-form.ts'
import { nomadVolume } from './nomad-volumes.ts'
import { type Placed, together, type Translate } from './placed.ts'
import { dockerTmpfs, tmpfsOfMount } from './tmpfs.ts'
import { Unhonoured } from './unhonoured.ts'
import { flag, pairs, present } from './values.ts'

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
export const volumes: Translate = (value, { path, unit, settings }) =>
  together(
    mountsIn(value, path).map((mount) => {
      const declared = settings.volumes[mount.source ?? '']
      if (mount.type === 'volume' && mount.source !== undefined && declared !== undefined) {
        return nomadVolume(mount, mount.source, object(declared, 'x-task.nomad.volumes'))
      }
      return inMounts(mountOf(mount, unit.service.declared?.volumes ?? {}))
    }),
  )

function mountOf(mount: Mount, declared: JsonObject): JsonObject {
  const { written, path, type, source, target } = mount
  const readOnly = flag(written['read_only'], path)
  switch (type) {
    case 'bind': {
      const bind = object(written['bind'], 'volumes.bind')
      if (bind['selinux'] !== undefined) {
        throw new Unhonoured(path, 'Nomad relabels folders by its own configuration')
      }
      const propagation = text(bind['propagation'], 'volumes.bind.propagation')
      return present({
        type,
        source: folderOfNode(mount),
        target,
        readonly: readOnly,
        bind_options: propagation === undefined ? undefined : { propagation },
      })
    }
    case 'tmpfs':
      return dockerTmpfs(tmpfsOfMount(mount))
    case 'volume':
      return present({
        type,
        target,
        readonly: readOnly,
        ...volumeOf(mount, object(declared[source ?? ''], 'volumes')),
      })
    default:
      throw new Unhonoured(path, `Nomad has no mounts of the type '${type}'`)
  }
}

function volumeOf({ written, path, source }: Mount, declared: JsonObject) {
  const options = object(written['volume'], 'volumes.volume')
  if (options['subpath'] !== undefined) throw new Unhonoured(path, 'Nomad mounts no subpaths')
  const external = isExternal(declared)
  const labels = {
    ...(external ? {} : pairs(declared['labels'], path)),
    ...pairs(options['labels'], path),
  }
  const driver = external ? undefined : text(declared['driver'], 'volumes.driver')
  const driverOptions = external ? {} : pairs(declared['driver_opts'], path)
  const config = present({
    name: driver,
    options: Object.keys(driverOptions).length === 0 ? undefined : [driverOptions],
  })
  const volumeOptions = present({
    no_copy: flag(options['nocopy'], path),
    labels: Object.keys(labels).length === 0 ? undefined : [labels],
    driver_config: Object.keys(config).length === 0 ? undefined : config,
  })
  return {
    source: source === undefined ? undefined : realName(declared, source),
    volume_options: Object.keys(volumeOptions).length === 0 ? undefined : volumeOptions,
  }
}
