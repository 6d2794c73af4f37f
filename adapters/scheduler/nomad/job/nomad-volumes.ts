import { object, text } from '../../../../src/core/compose/reader.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import type { Mount } from './mount-form.ts'
import type { Placed } from './placed.ts'
import { SETTINGS_PATH } from './settings.ts'
import { Unhonoured } from './unhonoured.ts'
import { flag, onlyKnows, present } from './values.ts'

/** Propagations by Compose's name; Nomad's. */
const PROPAGATIONS: Readonly<Record<string, string>> = {
  private: 'private',
  rprivate: 'private',
  rslave: 'host-to-task',
  rshared: 'bidirectional',
}

/** A named volume that Nomad itself knows: asked for by the group, mounted by the task. */
export function nomadVolume(mount: Mount, name: string, declared: JsonObject): Placed {
  const at = [...SETTINGS_PATH, 'volumes', name]
  const type = text(declared['type'], 'x-task.nomad.volumes.type') ?? 'host'
  const accessMode = text(declared['access_mode'], 'x-task.nomad.volumes.access_mode')
  const attachment = text(declared['attachment_mode'], 'x-task.nomad.volumes.attachment_mode')
  if (type === 'csi' && (accessMode === undefined || attachment === undefined)) {
    throw new Unhonoured(at, 'a CSI volume needs `access_mode` and `attachment_mode`')
  }
  const readOnly = flag(mount.written['read_only'], mount.path)
  // `nocopy` says how it is: nothing of an image is ever copied into a volume of Nomad's.
  onlyKnows(
    object(mount.written['volume'], 'volumes.volume'),
    ['nocopy'],
    [...mount.path, 'volume'],
    {
      subpath: 'a volume of Nomad is mounted whole',
      labels: 'a volume of Nomad is given none',
    },
  )
  return {
    group: {
      Volumes: {
        [name]: present({
          Name: name,
          Type: type,
          Source: text(declared['source'], 'x-task.nomad.volumes.source') ?? name,
          ReadOnly: flag(declared['read_only'], [...at, 'read_only']),
          AccessMode: accessMode,
          AttachmentMode: attachment,
        }),
      },
    },
    task: {
      VolumeMounts: [
        present({
          Volume: name,
          Destination: mount.target,
          ReadOnly: readOnly,
          PropagationMode: propagationOf(mount),
        }),
      ],
    },
  }
}

function propagationOf({ written, path }: Mount): string | undefined {
  const wanted = text(object(written['bind'], 'volumes.bind')['propagation'], 'volumes.bind')
  if (wanted === undefined) return undefined
  const found = PROPAGATIONS[wanted]
  if (found === undefined) throw new Unhonoured(path, `Nomad's volumes know no '${wanted}'`)
  return found
}
