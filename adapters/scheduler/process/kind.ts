import { isJsonObject } from '../../../src/core/json.ts'
import type { TaskType } from '../../../src/core/task-type.ts'
import type { SchedulerKind } from '../../../src/ports/scheduler-adapter.ts'
import { INHERITED, argvOf, signalNumber } from './plan.ts'

/** What can be said of the process scheduler without starting one. */
export const processScheduler: SchedulerKind = {
  kind: 'process',
  warnings,
  render: (unit) => ({
    argv: argvOf(unit),
    cwd: unit.service.workingDir ?? `units/${unit.name}/work`,
    ...(unit.service.workingDir !== undefined && { cwdFrom: unit.directory }),
    environment: unit.service.environment,
    inherits: [...INHERITED, 'LC_*'],
    stopSignal: unit.service.stopSignal,
    stopGraceMs: unit.service.stopGraceMs,
  }),
}

/** Keys that a process honours, or that ask nothing of a scheduler. */
const HONOURED = new Set([
  'command',
  'entrypoint',
  'env_file',
  'environment',
  'stop_grace_period',
  'stop_signal',
  'working_dir',
])

/** Why, where the key alone does not say it. */
const REASONS: Readonly<Record<string, string>> = {
  cap_add: "a process has the daemon's own capabilities",
  cap_drop: "a process has the daemon's own capabilities",
  configs: 'nothing is mounted for a process',
  healthcheck: 'the health of a process is not checked',
  image: 'the command runs as a process of this machine, with what is installed on it',
  init: "a process has no init of its own; its process group's leader reaps it",
  logging: "output goes to the unit's own log",
  networks: "a process is on the machine's own network",
  read_only: "a process sees the machine's own files",
  secrets: 'nothing is mounted for a process',
  tmpfs: 'nothing is mounted for a process',
  ulimits: "a process has the daemon's own limits",
  user: 'a process runs as the user that the daemon runs as',
  volumes: "nothing is mounted for a process: it sees the machine's own files",
  'deploy.placement': 'there is one machine only',
  'deploy.resources': 'a process has no limits and no reservations of its own',
}

function warnings(type: TaskType): readonly string[] {
  const { compose } = type.service
  const { deploy, ...rest } = compose
  const keys = Object.keys(rest).filter((key) => !key.startsWith('x-') && !HONOURED.has(key))
  if (isJsonObject(deploy)) keys.push(...Object.keys(deploy).map((key) => `deploy.${key}`))
  const found = keys.map((key) => sentence(key, REASONS[key]))
  if (signalNumber(type.service.stopSignal) === undefined)
    found.push(
      `stop_signal: Linux has no signal '${type.service.stopSignal}'; no start will be taken`,
    )
  type.retry.rules.forEach((rule, index) => {
    if (rule.memory !== undefined)
      found.push(
        sentence(
          `x-task.retry.rules[${index}].resources`,
          'a process has no memory limit that could be raised',
        ),
      )
  })
  if (type.service.entrypoint === undefined && type.service.command === undefined)
    found.push('command: a process needs one, as there is no image to have its own')
  return found
}

function sentence(key: string, reason = 'a process has nothing of the kind'): string {
  return `${key} is not honoured by the process scheduler: ${reason}`
}
