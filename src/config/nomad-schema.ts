import type { Schema } from './schema.ts'
import { bytes, flag, integer, keys, list, map, oneOf, text } from './schema.ts'

/** The drivers that a task type is translated for. */
const DRIVERS = ['docker', 'podman', 'exec', 'raw_exec']

const constraint = keys(
  'A constraint.',
  {
    attribute: text('What is looked at: `$${attr.cpu.arch}`, `$${meta.disk}`.'),
    operator: text('How it is compared: `=`, `!=`, `regexp`, `version`, `is_set` and so on.', {
      default: '=',
    }),
    value: text('What it is compared with. Some operators need none.'),
  },
  { required: ['attribute'] },
)

const volume = keys('A volume of Nomad.', {
  type: oneOf('Whose volume it is: the node’s own, or a storage system’s.', ['host', 'csi'], {
    default: 'host',
  }),
  source: text('Its name in Nomad. Without it, the name that the volume has here.'),
  read_only: flag('Whether it is asked for to be read only.', { default: false }),
  access_mode: text('How many may write to it: `single-node-writer` and so on.'),
  attachment_mode: oneOf('How it is attached.', ['file-system', 'block-device']),
})

const variable = keys('Where a value stands.', {
  path: text('The variable’s path.', {
    pattern: '^[a-zA-Z0-9_~/-]{1,128}$',
    'x-expects': 'the path of a variable: letters, digits, `-`, `_`, `~` and `/`',
  }),
  item: text('The item of the variable that holds it.', {
    default: 'value',
    pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$',
    'x-expects': 'the name of an item: letters, digits and `_`',
  }),
})

/** `x-task.nomad`: what Compose has no word for. */
export const nomadSchema: Schema = keys(
  'What Nomad needs to know and Compose has no word for. Other schedulers pass it over.',
  {
    driver: oneOf(
      'What runs it: containers of the image (`docker`, `podman`), or a program of the node (`exec`, `raw_exec`), which has no image.',
      DRIVERS,
      { default: 'docker' },
    ),
    datacenters: list(
      'The datacenters it may run in, `*` for anything. Without it, all of them.',
      { type: 'string', minLength: 1 },
      { minItems: 1 },
    ),
    node_pool: text('The node pool. Without it, the one that is `default`.'),
    priority: integer('The job’s priority: who goes first where nodes are full.', {
      default: 50,
      minimum: 1,
      maximum: 100,
    }),
    constraints: list(
      'What must hold of a node, beside `deploy.placement.constraints`, in Nomad’s own words (`$` is written `$$`).',
      constraint,
    ),
    cpu: integer(
      'The share of CPU that is reserved, in MHz, as Nomad counts it. With a limit of `cpus` it is the limit too, in the place of whole cores.',
      { minimum: 1 },
    ),
    disk: bytes('How much of a node’s disk is set aside for its folder and its logs.', {
      default: '300M',
      min: 150 * 1024 * 1024,
      'x-expects': 'a size of at least `150M` (the logs alone may take 100M)',
    }),
    volumes: map(
      'Volumes of the top level that are Nomad’s own, by their name there. Any other one is made by the driver, on whichever node it is.',
      volume,
    ),
    variables: map(
      'Where the values of secrets and configs of the top level stand, by their name there. Without it, in the item `value` of `longhaul/secrets/NAME` and `longhaul/configs/NAME`.',
      variable,
    ),
  },
)
