import assert from 'node:assert/strict'
import { loadTaskTypes } from '../../src/config/task-types.ts'
import { folderOf, mistakes } from './files.ts'

/** A line of the service, a line of the task block: they are lines 4 and 6 of the file. */
const file = (service: string, task = 'priority: 0', head = '') => `${head}services:
  resize:
    image: resizer
    ${service}
    x-task:
      ${task}
`
const task = (line: string) => file('init: true', line)

const told = async (text: string): Promise<string[]> => {
  await using folder = await folderOf({ 't.yml': text })
  return await mistakes(folder.path, () => loadTaskTypes(folder.path, { SECRET: 'hunter2' }))
}

type Case = readonly [title: string, text: string, ...told: string[]]

const YAML: readonly Case[] = [
  ['an empty file', '', 't.yml:1:1: must be a mapping, not empty'],
  [
    'broken syntax',
    'services: {',
    't.yml:1:12: not YAML: Flow map in block collection must be sufficiently indented and end with a }',
  ],
  [
    'a key that is there twice',
    file('init: true\n    init: false'),
    't.yml:5:5: the key `init` is there twice',
  ],
  [
    'a number that JSON has not',
    task('priority: .inf'),
    't.yml:1:1: holds what JSON cannot (`.nan`, `.inf`, or aliases of aliases)',
  ],
  [
    'two documents',
    'a: 1\n---\nb: 1\n',
    't.yml:2:1: not YAML: Source contains multiple documents; please use YAML.parseAllDocuments()',
  ],
]

const SHAPE: readonly Case[] = [
  [
    'no services',
    'name: x\n',
    't.yml:1:1: `services` is missing: a task type is a Compose file with one service',
  ],
  ['no service', 'services: {}\n', 't.yml:1:11: must not be empty'],
  [
    'a second service',
    `${file('init: true')}  other: { image: a, x-task: {} }\n`,
    't.yml:7:3: one task type a file: `resize` is here already, so `other` needs a file of its own',
  ],
  [
    'no x-task',
    'services:\n  resize:\n    image: a\n',
    't.yml:2:3: an `x-task` block is missing: it makes a service a task type (`x-task: {}` will do)',
  ],
  [
    'a bad name',
    'services:\n  Resize_It: { image: a, x-task: {} }\n',
    't.yml:2:3: `Resize_It` must be a task type’s name: 1 to 40 small letters, digits and `-`, not beginning with `-`',
  ],
  [
    'nothing to run',
    'services:\n  resize: { x-task: {} }\n',
    't.yml:2:3: there is nothing to run: write `image`, `command` or both',
  ],
  [
    'an unknown key of the top level',
    `servces: {}\n${file('init: true')}`,
    't.yml:1:1: unknown key `servces`: did you mean `services`?',
  ],
  [
    'an unknown key of the service',
    file('enviroment: {}'),
    't.yml:4:5: unknown key `enviroment`: did you mean `environment`?',
  ],
  ['an unknown key of the task', task('maxAttempts: 3'), 't.yml:6:7: unknown key `maxAttempts`'],
  [
    'a key in another spelling',
    task('retry: { maxAttempts: 3 }'),
    't.yml:6:16: unknown key `maxAttempts`: did you mean `max_attempts`?',
  ],
  [
    'an unknown key far from all',
    task('concurrency: { limit: 1, colour: red }'),
    't.yml:6:32: unknown key `colour`: the keys here are limit, key',
  ],
  [
    'a wrong type',
    file('image2: 1').replace('image: resizer', 'image: 5').replace('    image2: 1\n', ''),
    't.yml:3:12: must be a string, not 5',
  ],
  [
    'a number in a command',
    file('command: [sleep, 5]'),
    't.yml:4:22: must be a string: quote it, not 5',
  ],
  [
    'an empty entrypoint without a command',
    file('entrypoint: []'),
    "t.yml:4:5: an empty one takes the image's away, and its command with it: write `command`",
  ],
  [
    'an empty entrypoint with an empty command',
    file("entrypoint: ''\n    command: ['']"),
    "t.yml:4:5: an empty one takes the image's away, and its command with it: write `command`",
  ],
  ['a quote that is not closed', file(`command: sh -c 'x`), 't.yml:4:14: a quote is not closed'],
]

const refusedInService = (key: string, value: string, why: string): Case => [
  `the key ${key}`,
  file(`${key}: ${value}`),
  `t.yml:4:5: \`${key}\` makes no sense here: ${why}`,
]
const refusedInDeploy = (key: string, value: string, why: string): Case => [
  `the key deploy.${key}`,
  file(`deploy: { ${key}: ${value} }`),
  `t.yml:4:15: \`${key}\` makes no sense here: ${why}`,
]
const REFUSED: readonly Case[] = [
  refusedInService(
    'ports',
    '["80:80"]',
    'nobody calls a task, and two attempts could not share a port',
  ),
  refusedInService('expose', '["80"]', 'nobody calls a task'),
  refusedInService(
    'build',
    '.',
    'a task runs an image that is already there: build it elsewhere and name it in `image`',
  ),
  refusedInService(
    'privileged',
    'true',
    'a task with every privilege owns its node: write `cap_add`',
  ),
  refusedInService(
    'restart',
    'always',
    'the scheduler must not start an attempt again: write `x-task.retry`',
  ),
  refusedInService('container_name', 'x', 'every attempt has a name of its own'),
  refusedInService(
    'depends_on',
    '[x]',
    'a task type is alone in its file: let the application send the next command',
  ),
  refusedInService('links', '[x]', 'a task type is alone in its file: write `networks`'),
  refusedInService('scale', '2', 'an attempt is one container: send one command for each task'),
  refusedInService(
    'env_file',
    '.env',
    'the whole definition is kept with every task, so its values must stand here: write `environment`, with `${NAME}` for what differs',
  ),
  refusedInService(
    'mem_limit',
    '1G',
    'write `deploy.resources.limits.memory`, which every scheduler reads',
  ),
  refusedInDeploy(
    'mode',
    'global',
    'an attempt runs once: Longhaul sets how the scheduler runs it',
  ),
  refusedInDeploy('replicas', '2', 'an attempt is one container: send one command for each task'),
  refusedInDeploy(
    'update_config',
    '{}',
    'an attempt is never updated: it runs to its end as it was started',
  ),
  refusedInDeploy(
    'rollback_config',
    '{}',
    'an attempt is never updated: it runs to its end as it was started',
  ),
  refusedInDeploy(
    'restart_policy',
    '{}',
    'the scheduler must not start an attempt again: write `x-task.retry`',
  ),
]

const NAME =
  'must be a message name of 1 to 200 characters without spaces, and not under `longhaul/` (the daemon’s own) or `amq.` (the broker’s own)'
const POINTER = 'must be a JSON Pointer into the command, such as `/videoId`'
const DURATION = 'must be a duration of more than nothing, such as `30s`, `5m` or `1h30m`'
const CODE = 'must be an exit code or a range of them, such as `1` or `"64-78"`'
const TASK: readonly Case[] = [
  [
    'a command under longhaul/',
    task('command: longhaul/run-task'),
    `t.yml:6:16: ${NAME}, not "longhaul/run-task"`,
  ],
  ['a command with a space', task('command: resize it'), `t.yml:6:16: ${NAME}, not "resize it"`],
  [
    'a command that every object has',
    task('command: constructor'),
    't.yml:6:16: `constructor` is no name for a message: the bus cannot tell it from its own',
  ],
  [
    'an event under longhaul/',
    task('events: { failed: longhaul/x }'),
    `t.yml:6:25: ${NAME}, not "longhaul/x"`,
  ],
  [
    'an event that is the own command',
    task('command: a/b\n      events: { failed: a/b }'),
    "t.yml:7:25: `a/b` is the type's own command: each event would start a task",
  ],
  [
    'an unknown event',
    task('events: { succeded: a/b }'),
    't.yml:6:17: unknown key `succeded`: did you mean `succeeded`?',
  ],
  ['a bad id pointer', task('id: videoId'), `t.yml:6:11: ${POINTER}, not "videoId"`],
  ['a bad escape in a pointer', task('id: /a~2'), `t.yml:6:11: ${POINTER}, not "/a~2"`],
  ['a bad environment pointer', task('environment: { A: b }'), `t.yml:6:25: ${POINTER}, not "b"`],
  [
    'a bad environment name',
    task('environment: { A-B: /b }'),
    't.yml:6:22: `A-B` must be the name of an environment variable (letters, digits and `_`)',
  ],
  [
    'an environment name of the daemon’s',
    task('environment: { LONGHAUL_RUN: /b }'),
    't.yml:6:22: the daemon itself sets `LONGHAUL_RUN`',
  ],
  [
    'an argument from nowhere',
    task('arguments: [{ form: /a }]'),
    't.yml:6:19: `from` is missing',
    't.yml:6:21: unknown key `form`: did you mean `from`?',
  ],
  ['a duration without a unit', task('deadline: 5'), `t.yml:6:17: ${DURATION}, not 5`],
  ['a duration of nothing', task('attempt_timeout: 0s'), `t.yml:6:24: ${DURATION}, not "0s"`],
  [
    'days where Compose has none',
    file('stop_grace_period: 1d'),
    't.yml:4:24: must be a duration, such as `30s`, `5m` or `1h30m`, not "1d"',
  ],
  [
    'a size that is none',
    task('keep: { log_tail: lots }'),
    't.yml:6:25: must be a size of at most `64k`, not "lots"',
  ],
  ['too few attempts', task('retry: { max_attempts: 0 }'), 't.yml:6:30: must be at least 1, not 0'],
  [
    'a backoff in another word',
    task('retry: { backoff: linear }'),
    't.yml:6:25: must be `none` or a mapping of `initial`, `factor`, `max` and `jitter`, not "linear"',
  ],
  [
    'a backoff that ends before it begins',
    task('retry: { backoff: { initial: 1m, max: 1s } }'),
    't.yml:6:45: `max` is shorter than `initial`',
  ],
  [
    'an unknown action',
    task('retry: { rules: [{ when: { exit_code: 1 }, action: retyr }] }'),
    't.yml:6:58: must be one of `retry`, `fail`, `succeed`, not "retyr": did you mean `retry`?',
  ],
  [
    'a rule that matches nothing in particular',
    task('retry: { rules: [{ when: {}, action: fail }] }'),
    't.yml:6:32: must not be empty',
  ],
  [
    'a rule without an action',
    task('retry: { rules: [{ when: { exit_code: 1 } }] }'),
    't.yml:6:24: `action` is missing',
  ],
  [
    'an unknown reason',
    task('retry: { rules: [{ when: { reason: [oomm] }, action: fail }] }'),
    't.yml:6:43: must be one of `completed`, `failed`, `killed`, `oom`, `start-failed`, `attempt-timeout`, `rejected`, `image-unavailable`, `unschedulable`, `start-timeout`, `interrupted`, `preempted`, `node-lost`, `removed`, `lost`, not "oomm": did you mean `oom`?',
  ],
  [
    'an exit code that is none',
    task('retry: { rules: [{ when: { exit_code: [one] }, action: fail }] }'),
    `t.yml:6:46: ${CODE}, not "one"`,
  ],
  [
    'an exit code that cannot be',
    task('retry: { rules: [{ when: { exit_code: [300] }, action: fail }] }'),
    't.yml:6:46: exit codes go from 0 to 255',
  ],
  [
    'a range the wrong way round',
    task('retry: { rules: [{ when: { exit_code: ["78-64"] }, action: fail }] }'),
    't.yml:6:46: the range ends before it begins: write "64-78"',
  ],
  [
    'count without a retry',
    task('retry: { rules: [{ when: { exit_code: 1 }, action: fail, count: false }] }'),
    't.yml:6:64: `count` says something of `action: retry` only',
  ],
  [
    'memory that has no limit to raise',
    task(
      'retry: { rules: [{ when: { reason: oom }, action: retry, resources: { memory: { factor: 2 } } }] }',
    ),
    't.yml:6:77: there is nothing to raise: write `deploy.resources.limits.memory`',
  ],
  [
    'concurrency without a limit',
    task('concurrency: { key: /a }'),
    't.yml:6:7: `limit` is missing',
  ],
  [
    'a fraction where there is none',
    task('priority: 0.5'),
    't.yml:6:17: must be a whole number, not 0.5',
  ],
  ['an empty value', task('concurrency:'), 't.yml:6:7: must be a mapping, not empty'],
  [
    'a schema with an unknown type',
    task('input: { type: object, properties: { a: { type: strng } } }'),
    't.yml:6:55: not a JSON Schema: must be equal to one of the allowed values: ["array","boolean","integer","null","number","object","string"]',
  ],
  [
    'a schema whose pattern is no regular expression',
    task('input: { properties: { a: { pattern: "(" } } }'),
    't.yml:6:44: not a JSON Schema: Invalid regular expression: /(/u: Unterminated group',
  ],
  [
    'a schema that leads nowhere',
    task('input: { properties: { a: { $ref: "#/$$defs/a" } } }'),
    "t.yml:6:14: not a JSON Schema: can't resolve reference #/$defs/a from id #",
  ],
]

const RESOURCES: readonly Case[] = [
  [
    'a secret that is not declared',
    file('secrets: [a, b]', undefined, 'secrets: { a: { external: true } }\n'),
    't.yml:5:18: `b` is not among the `secrets` of the top level',
  ],
  [
    'a volume that is not declared',
    file('volumes: [/host:/a, named:/b, /anonymous]'),
    't.yml:4:25: `named` is not among the `volumes` of the top level',
  ],
  [
    'a network that is not declared',
    file('networks: { default: {}, other: {} }'),
    't.yml:4:30: `other` is not among the `networks` of the top level',
  ],
  [
    'a network mode beside networks',
    file('networks: [default]\n    network_mode: host'),
    't.yml:5:5: `network_mode` and `networks` exclude each other: write one of them',
  ],
]

const NOMAD: readonly Case[] = [
  [
    'a driver of Nomad that is none',
    task('nomad: { driver: qemu }'),
    't.yml:6:24: must be one of `docker`, `podman`, `exec`, `raw_exec`, not "qemu"',
  ],
  [
    'a constraint of Nomad without an attribute',
    task('nomad: { constraints: [{ value: a }] }'),
    't.yml:6:30: `attribute` is missing',
  ],
  [
    'an unknown key of a constraint',
    task('nomad: { constraints: [{ attribute: a, op: a }] }'),
    't.yml:6:46: unknown key `op`: the keys here are attribute, operator, value',
  ],
  [
    'a priority that Nomad has not',
    task('nomad: { priority: 101 }'),
    't.yml:6:26: must be at most 100, not 101',
  ],
  [
    'too small a disk',
    task('nomad: { disk: 100M }'),
    't.yml:6:22: must be a size of at least `150M` (the logs alone may take 100M), not "100M"',
  ],
  [
    'a volume of Nomad that the top level does not have',
    task('nomad: { volumes: { data: {} } }'),
    't.yml:6:27: `data` is not among the `volumes` of the top level',
  ],
  [
    'a variable for no secret and no config',
    task('nomad: { variables: { key: {} } }'),
    't.yml:6:29: `key` is not among the `secrets` or the `configs` of the top level',
  ],
  [
    'a path that no variable can have',
    file(
      'secrets: [key]',
      'nomad: { variables: { key: { path: "a b" } } }',
      'secrets: { key: {} }\n',
    ),
    't.yml:7:42: must be the path of a variable: letters, digits, `-`, `_`, `~` and `/`, not "a b"',
  ],
]

const VARIABLES: readonly Case[] = [
  [
    'a variable that is not set',
    file('command: ["${NOT_SET}"]'),
    't.yml:4:15: the variable NOT_SET is not set: set it for the daemon, give a default (${NOT_SET:-…}), or write $$ for a dollar',
  ],
  [
    'a dollar that begins nothing',
    task('input: { properties: { a: { pattern: "^a$" } } }'),
    't.yml:6:44: "$" is no variable: write $$ for a dollar, or ${NAME}',
  ],
  [
    'a required variable',
    file('command: ["${TOKEN:?of the shop}"]'),
    't.yml:4:15: the variable TOKEN is not set: of the shop',
  ],
  [
    'a variable that holds no duration, without what it holds',
    task('deadline: ${SECRET}'),
    `t.yml:6:17: ${DURATION}, not "\${SECRET}"`,
  ],
]

describe('a mistake in a task type', () => {
  const groups = { YAML, SHAPE, REFUSED, TASK, RESOURCES, NOMAD, VARIABLES }
  for (const [title, text, ...expected] of Object.values(groups).flat()) {
    it(`is told at its place: ${title}`, async () => {
      assert.deepEqual(await told(text), expected)
    })
  }

  it('is not seen in a file that has none', async () => {
    assert.deepEqual(await told(file('init: true')), [])
  })

  it('that came in by a merge key is told where it is written', async () => {
    const text = `x-base: &base
  image: a
  ports: ["80:80"]
services:
  resize:
    <<: *base
    x-task: {}
`
    const [line] = await told(text)
    assert.match(line ?? '', /^t\.yml:3:3: `ports` makes no sense here/)
  })
})
