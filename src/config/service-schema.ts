import type { Schema } from './schema.ts'
import { bytes, duration, flag, integer, keys, list, map, number, text } from './schema.ts'
import { taskSchema } from './task-schema.ts'

const scalar: Schema = {
  type: ['string', 'number', 'boolean', 'null'],
  'x-expects': 'a string or a number',
}
const assignment: Schema = { type: 'string', minLength: 1 }

/** Compose's two ways of writing a mapping: `{ A: b }` and `[A=b]`. */
const mapOrList = (description: string): Schema => ({
  description,
  type: ['object', 'array'],
  additionalProperties: scalar,
  items: assignment,
  'x-expects': 'a mapping, or a list of `NAME=value`',
})

const words = (description: string): Schema => ({
  description,
  type: ['array', 'string', 'null'],
  items: { type: 'string', 'x-expects': 'a string: quote it' },
  'x-expects': 'a list of strings, or one string that is split into words as a shell would',
})

const stringOrList = (description: string): Schema => ({
  description,
  type: ['array', 'string'],
  items: { type: 'string' },
  'x-expects': 'a string or a list of strings',
})

const names = (description: string): Schema => list(description, { type: 'string', minLength: 1 })

/** A list whose items are a name or the long form. */
const grants = (description: string): Schema =>
  list(description, {
    ...keys(
      'The long form.',
      {
        source: text('The name at the top level.'),
        target: text('Where the container finds it.'),
        uid: text('The owner.'),
        gid: text('The group.'),
        mode: {
          description: 'The file’s mode, in octal.',
          type: ['string', 'integer'],
          pattern: '^0*[0-7]{1,4}$',
          minimum: 0,
          maximum: 0o7777,
          'x-expects': 'a mode in octal, such as `0440`',
        },
      },
      { required: ['source'] },
    ),
    type: ['string', 'object'],
    'x-expects': 'a name, or a mapping with `source`',
  })

const free = (description: string, type: Schema['type'] = 'object'): Schema => ({
  description,
  type: type ?? 'object',
})

const cpus: Schema = {
  type: ['string', 'number'],
  'x-expects': 'a number of CPUs, such as `"0.5"`',
}

const deploy = keys(
  'Where and with what it runs.',
  {
    resources: keys('What it may use and what it is promised.', {
      limits: keys('What it may use.', {
        cpus: { description: 'CPUs.', ...cpus },
        memory: bytes('Memory.'),
        pids: integer('Processes.'),
      }),
      reservations: keys('What a node must have free for it.', {
        cpus: { description: 'CPUs.', ...cpus },
        memory: bytes('Memory.'),
        generic_resources: list('Generic resources of the nodes.', { type: 'object' }),
        devices: list('Devices, such as GPUs.', { type: 'object' }),
      }),
    }),
    placement: keys('On which nodes it runs.', {
      constraints: names('What must hold of a node: `node.labels.disk == ssd`.'),
      preferences: list('How to spread over nodes.', { type: 'object' }),
      max_replicas_per_node: integer('At most so many on one node.', { minimum: 0 }),
    }),
    labels: mapOrList('Labels of what the scheduler holds.'),
  },
  {
    'x-refused': {
      mode: 'an attempt runs once: Longhaul sets how the scheduler runs it',
      replicas: 'an attempt is one container: send one command for each task',
      update_config: 'an attempt is never updated: it runs to its end as it was started',
      rollback_config: 'an attempt is never updated: it runs to its end as it was started',
      restart_policy: 'the scheduler must not start an attempt again: write `x-task.retry`',
      endpoint_mode: 'nobody calls a task, so it has no endpoint',
    },
  },
)

const limitsWhy = (key: string) => `write \`deploy.resources.${key}\`, which every scheduler reads`

/** The keys of a service that a container which runs once can honour. */
const serviceSchema: Schema = keys(
  'What runs: the service of a Compose file.',
  {
    image: text('The image. May be left out for the process scheduler only.'),
    command: words('What is run, with its arguments. Without it, what the image says.'),
    entrypoint: words('What `command` is handed to. Without it, what the image says.'),
    environment: mapOrList(
      'Environment values. One without a value is taken from the daemon’s own environment, and left out where that lacks it.',
    ),
    working_dir: text(
      'The folder it runs in. With the process scheduler it counts from this file’s folder; without it, a folder of the attempt’s own.',
    ),
    user: text('The user, `name` or `uid:gid`.'),
    stop_signal: text('The signal that asks it to end.', { default: 'SIGTERM' }),
    stop_grace_period: duration(
      'How long it may take to end after `stop_signal`; then it is killed.',
      {
        default: '10s',
        minMs: 0,
        days: false,
      },
    ),
    secrets: grants('Secrets of the top level that it is given.'),
    configs: grants('Configs of the top level that it is given.'),
    networks: {
      description: 'Networks of the top level that it is attached to.',
      type: ['array', 'object'],
      items: { type: 'string', minLength: 1 },
      additionalProperties: { type: ['object', 'null'] },
      'x-expects': 'a list of names, or a mapping of them',
    },
    volumes: list('What is mounted: `name:/path`, `/host/path:/path:ro`, or the long form.', {
      type: ['string', 'object'],
      minLength: 1,
      required: ['type'],
      'x-expects': '`source:/target`, or a mapping with `type`',
    }),
    tmpfs: stringOrList('Folders in memory.'),
    healthcheck: keys('How the scheduler sees that it is well.', {
      test: stringOrList('The command.'),
      interval: duration('How often.', { days: false }),
      timeout: duration('How long it may take.', { days: false }),
      retries: integer('How often it may fail.', { minimum: 0 }),
      start_period: duration('How long failures do not count at first.', { minMs: 0, days: false }),
      start_interval: duration('How often during that time.', { days: false }),
      disable: flag('Switches the image’s own check off.'),
    }),
    deploy,
    labels: mapOrList('Labels of the container.'),
    logging: keys('Where its output goes.', {
      driver: text('The log driver.'),
      options: map('Its options.', scalar),
    }),
    init: flag('Runs a small init as process 1.'),
    read_only: flag('Mounts its root file system read-only.'),
    tty: flag('Gives it a terminal.'),
    stdin_open: flag('Keeps its standard input open.'),
    hostname: text('Its host name.'),
    domainname: text('Its domain name.'),
    dns: stringOrList('DNS servers.'),
    dns_opt: names('Options of the resolver.'),
    dns_search: stringOrList('Domains that are searched.'),
    extra_hosts: mapOrList('Further lines of its hosts file.'),
    mac_address: text('Its hardware address.'),
    network_mode: text('The network mode.'),
    cap_add: names('Capabilities that it is given.'),
    cap_drop: names('Capabilities that it loses.'),
    security_opt: names('Security options.'),
    group_add: list('Further groups of its user.', { type: ['string', 'number'] }),
    userns_mode: text('The user namespace.'),
    sysctls: mapOrList('Kernel parameters.'),
    ulimits: map('Limits of its processes.', {
      type: ['integer', 'object'],
      properties: { soft: integer('The soft limit.'), hard: integer('The hard limit.') },
      additionalProperties: false,
      'x-expects': 'a number, or a mapping of `soft` and `hard`',
    }),
    shm_size: bytes('The size of `/dev/shm`.'),
    oom_score_adj: integer('How soon the kernel kills it.', { minimum: -1000, maximum: 1000 }),
    devices: list('Devices of the node.', { type: ['string', 'object'] }),
    device_cgroup_rules: names('Device rules.'),
    cgroup_parent: text('The parent cgroup.'),
    cgroup: text('The cgroup namespace.'),
    ipc: text('The IPC namespace.'),
    pid: text('The process namespace.'),
    uts: text('The UTS namespace.'),
    isolation: text('The isolation technology (Windows).'),
    credential_spec: free('The credential spec (Windows).'),
    runtime: text('The container runtime.'),
    platform: text('The platform: `linux/amd64`.'),
    pull_policy: text('When the image is pulled.'),
    storage_opt: free('Options of the storage driver.'),
    blkio_config: free('Limits of block devices.'),
    annotations: mapOrList('Annotations of the container.'),
    cpuset: text('The CPUs it may run on.'),
    cpu_shares: number('Its share of the CPUs.'),
    'x-task': taskSchema,
  },
  {
    required: ['x-task'],
    'x-missing': {
      'x-task':
        'an `x-task` block is missing: it makes a service a task type (`x-task: {}` will do)',
    },
    'x-refused': {
      build:
        'a task runs an image that is already there: build it elsewhere and name it in `image`',
      container_name: 'every attempt has a name of its own',
      depends_on: 'a task type is alone in its file: let the application send the next command',
      links: 'a task type is alone in its file: write `networks`',
      external_links: 'write `networks`',
      ports: 'nobody calls a task, and two attempts could not share a port',
      expose: 'nobody calls a task',
      privileged: 'a task with every privilege owns its node: write `cap_add`',
      restart: 'the scheduler must not start an attempt again: write `x-task.retry`',
      scale: 'an attempt is one container: send one command for each task',
      profiles: 'a task type is there or it is not: take its file away',
      extends: 'the whole definition is kept with every task, so it must stand in this file',
      env_file:
        'the whole definition is kept with every task, so its values must stand here: write `environment`, with `${NAME}` for what differs',
      label_file: 'the whole definition is kept with every task: write `labels`',
      develop: 'it is for services that people work on',
      attach: 'nobody is attached to a task: its output is read by `longhaul task logs`',
      provider: 'a task runs a container',
      models: 'no scheduler here can give it any',
      post_start: 'a task is one program: let it do that itself',
      pre_stop: 'a task is one program: let it handle `stop_signal`',
      use_api_socket: 'a task with the engine’s socket owns its node',
      volumes_from: 'it would tie the task to one container: write `volumes`',
      cpus: limitsWhy('limits.cpus'),
      cpu_count: limitsWhy('limits.cpus'),
      cpu_percent: limitsWhy('limits.cpus'),
      cpu_period: limitsWhy('limits.cpus'),
      cpu_quota: limitsWhy('limits.cpus'),
      cpu_rt_period: limitsWhy('limits.cpus'),
      cpu_rt_runtime: limitsWhy('limits.cpus'),
      mem_limit: limitsWhy('limits.memory'),
      mem_reservation: limitsWhy('reservations.memory'),
      mem_swappiness: limitsWhy('limits.memory'),
      memswap_limit: limitsWhy('limits.memory'),
      oom_kill_disable: limitsWhy('limits.memory'),
      pids_limit: limitsWhy('limits.pids'),
      gpus: limitsWhy('reservations.devices'),
    },
  },
)

const declarations = (description: string): Schema =>
  map(description, {
    type: ['object', 'null'],
    'x-expects': 'a mapping such as `{ external: true }`',
  })

/** A task type's whole file. */
export const fileSchema: Schema = keys(
  'A task type: a Compose file with one service and an `x-task` block.',
  {
    services: map('The one service; its key is the task type’s name.', serviceSchema, {
      minProperties: 1,
      propertyNames: {
        pattern: '^[a-z0-9][a-z0-9-]{0,39}$',
        'x-expects':
          'a task type’s name: 1 to 40 small letters, digits and `-`, not beginning with `-`',
      },
    }),
    secrets: declarations('Secrets that the service may be given.'),
    configs: declarations('Configs that the service may be given.'),
    networks: declarations('Networks that the service may be attached to.'),
    volumes: declarations('Volumes that the service may mount.'),
    version: {
      description: 'Let through for old tools; it means nothing.',
      type: ['string', 'number'],
    },
    name: text('Let through for Compose; it means nothing here.'),
  },
  {
    required: ['services'],
    'x-missing': {
      services: '`services` is missing: a task type is a Compose file with one service',
    },
    'x-refused': {
      include: 'the whole definition is kept with every task, so it must stand in this file',
      models: 'no scheduler here can give a task any',
    },
  },
)
