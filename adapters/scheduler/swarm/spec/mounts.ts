import { isExternal, realName } from '../../../../src/core/compose/declared.ts'
import { longMount } from '../../../../src/core/compose/mount.ts'
import { bytes, fileMode, list, object, text } from '../../../../src/core/compose/reader.ts'
import { isJsonObject, type Json, type JsonObject, member } from '../../../../src/core/json.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { flag, pairs, present, presentOrNone, refused, texts } from './draft.ts'
import { tmpfsMount } from './tmpfs.ts'

/** `volumes`, `tmpfs` and `shm_size` as mounts. */
export function mountsOf(service: Service): readonly JsonObject[] {
  const { compose } = service
  const volumes = list(compose['volumes']).map((item, i) => {
    const key = `volumes[${i}]`
    const written = isJsonObject(item)
      ? item
      : longMount(text(item, key) ?? '', (why) => refused(key, why))
    return mountOf(written, service, key)
  })
  const folders = (texts(compose['tmpfs'], 'tmpfs') ?? []).map(tmpfsMount)
  const shm = bytes(compose['shm_size'], 'shm_size')
  // Swarm has no field for it; a mount of its own at the same place is the same to the program.
  const shared = shm === undefined ? [] : [{ ...SHM, TmpfsOptions: { SizeBytes: shm } }]
  return [...volumes, ...folders, ...shared]
}

const SHM = { Type: 'tmpfs', Target: '/dev/shm' }

function mountOf(written: JsonObject, service: Service, key: string): JsonObject {
  const type = text(written['type'], `${key}.type`) ?? 'volume'
  const source = text(written['source'], `${key}.source`)
  const target = text(written['target'], `${key}.target`)
  if (target === undefined || target === '') throw refused(key, 'a mount needs a target')
  const readOnly = flag(written['read_only'], `${key}.read_only`)
  const common = { Type: type, Target: target, ReadOnly: readOnly }
  switch (type) {
    case 'bind':
      return present({
        ...common,
        Source: folderOfNode(source, key),
        BindOptions: bindOptions(object(written['bind'], `${key}.bind`), `${key}.bind`),
      })
    case 'volume':
      return present({ ...common, ...volumeOf(source, written, service, key) })
    case 'tmpfs': {
      const options = object(written['tmpfs'], `${key}.tmpfs`)
      const mode = fileMode(options['mode'], `${key}.tmpfs.mode`)
      const size = bytes(options['size'], `${key}.tmpfs.size`)
      return present({
        ...common,
        TmpfsOptions: presentOrNone({ SizeBytes: size, Mode: mode }),
      })
    }
    case 'cluster':
    case 'npipe':
      return present({ ...common, Source: source })
    // `image` among them: containers have it from API 1.48 on, swarmkit has no such mount (api/types.proto).
    default:
      throw refused(`${key}.type`, `Swarm has no mounts of the type '${type}'`)
  }
}

/** Swarm takes a relative path when it is created and rejects the task on the node. */
function folderOfNode(source: string | undefined, key: string): string {
  if (source !== undefined && /^(\/|[A-Za-z]:[\\/]|\{\{)/.test(source)) return source
  throw refused(
    key,
    `'${source ?? ''}' must be an absolute path: it is a folder of whichever node the task comes to`,
  )
}

function bindOptions(bind: JsonObject, key: string): JsonObject | undefined {
  if (bind['selinux'] !== undefined) throw refused(`${key}.selinux`, 'Swarm cannot relabel folders')
  return presentOrNone({ Propagation: text(bind['propagation'], `${key}.propagation`) })
}

function volumeOf(
  source: string | undefined,
  written: JsonObject,
  { declared }: Service,
  key: string,
): Record<string, Json | undefined> {
  const options = object(written['volume'], `${key}.volume`)
  const subpath = text(options['subpath'], `${key}.volume.subpath`)
  const volume = object(member(declared?.volumes, source ?? ''), `volumes.${source ?? ''}`)
  const external = isExternal(volume)
  const labels = { ...pairs(volume['labels'], 'labels'), ...pairs(options['labels'], 'labels') }
  const driver = presentOrNone({
    Name: external ? undefined : text(volume['driver'], 'volumes.driver'),
    Options: external ? undefined : presentOrNone(pairs(volume['driver_opts'], 'driver_opts')),
  })
  return {
    Source: source === undefined ? undefined : realName(volume, source),
    VolumeOptions: presentOrNone({
      NoCopy: flag(options['nocopy'], `${key}.volume.nocopy`),
      Subpath: subpath,
      Labels: external ? undefined : presentOrNone(labels),
      DriverConfig: driver,
    }),
  }
}
