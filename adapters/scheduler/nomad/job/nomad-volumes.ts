import { realName } from '../../../../src/core/compose/declared.ts'
import { object, text } from '../../../../src/core/compose/reader.ts'
import { member } from '../../../../src/core/json.ts'
import { bindOptions, type Mount } from './mount-form.ts'
import type { Placed, Subject } from './placed.ts'
import { SETTINGS_PATH } from './settings.ts'
import { dotted, Unhonoured } from './unhonoured.ts'
import { flag, onlyKnows, present } from './values.ts'

/** Propagations by Compose's name; Nomad's. */
const PROPAGATIONS: ReadonlyMap<string, string> = new Map([
  ['private', 'private'],
  ['rprivate', 'private'],
  ['rslave', 'host-to-task'],
  ['rshared', 'bidirectional'],
])

/**
 * A named volume that Nomad itself knows: asked for by the group, mounted by the task. Undefined where
 * `x-task.nomad.volumes` has nothing of it.
 */
export function nomadVolume(mount: Mount, { unit, settings }: Subject): Placed | undefined {
  const { source: name, type: mountType } = mount
  if (mountType !== 'volume' || name === undefined) return undefined
  const found = member(settings.volumes, name)
  if (found === undefined) return undefined
  const at = [...SETTINGS_PATH, 'volumes', name]
  const declared = object(found, dotted(at))
  const of = (key: string) => text(declared[key], dotted([...at, key]))
  const type = of('type') ?? 'host'
  const accessMode = of('access_mode')
  const attachment = of('attachment_mode')
  if (type === 'csi' && (accessMode === undefined || attachment === undefined)) {
    throw new Unhonoured(at, 'a CSI volume needs `access_mode` and `attachment_mode`')
  }
  refuseOptions(mount)
  return {
    group: {
      Volumes: {
        [name]: present({
          Name: name,
          Type: type,
          Source: of('source') ?? realName(member(unit.service.declared?.volumes, name), name),
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
          ReadOnly: mount.readOnly,
          PropagationMode: propagationOf(mount),
        }),
      ],
    },
  }
}

/** `nocopy` says how it is: nothing of an image is ever copied into a volume of Nomad's. */
function refuseOptions({ written, path }: Mount): void {
  const at = [...path, 'volume']
  onlyKnows(object(written['volume'], dotted(at)), ['nocopy'], at, {
    subpath: 'a volume of Nomad is mounted whole',
    labels: 'a volume of Nomad is given none',
  })
}

function propagationOf(mount: Mount): string | undefined {
  const wanted = text(bindOptions(mount)['propagation'], dotted([...mount.path, 'bind']))
  if (wanted === undefined) return undefined
  const found = PROPAGATIONS.get(wanted)
  if (found === undefined) throw new Unhonoured(mount.path, `Nomad's volumes know no '${wanted}'`)
  return found
}
