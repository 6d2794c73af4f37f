import assert from 'node:assert/strict'
import { processScheduler } from '../../../../adapters/scheduler/process/kind.ts'
import type { JsonObject } from '../../../../src/core/json.ts'
import type { RetryRule, TaskType } from '../../../../src/core/task-type.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

const typeWith = (compose: JsonObject, rules: readonly RetryRule[] = []): TaskType => ({
  name: 'encode',
  hash: 'h',
  directory: '/etc/tasks',
  service: {
    command: ['encode'],
    environment: {},
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
    compose,
  },
  input: {},
  inputEnvironment: {},
  arguments: [],
  startTimeoutMs: 1,
  retry: { maxAttempts: 3, backoff: 'none', rules },
  onNodeLost: { action: 'retry', afterMs: 1 },
  priority: 0,
  eventNames: {},
  keep: { outcomeMs: 1, failedUnitMs: 1, logTailBytes: 1 },
})

describe('what a process cannot honour', () => {
  it('is nothing of what it can', () => {
    const compose = {
      command: ['encode'],
      entrypoint: ['x'],
      working_dir: 'y',
      environment: {},
      stop_signal: 'SIGINT',
      stop_grace_period: '1m',
      'x-task': {},
    }
    assert.deepEqual(processScheduler.warnings(typeWith(compose)), [])
  })

  it('is named, one sentence a key', () => {
    const keys = ['image', 'networks', 'volumes', 'secrets', 'configs', 'ulimits', 'healthcheck']
    keys.push('user', 'read_only', 'cap_add', 'cap_drop', 'logging', 'init', 'tmpfs', 'sysctls')
    const compose = Object.fromEntries(keys.map((key) => [key, {}]))
    const found = processScheduler.warnings(
      typeWith({ ...compose, deploy: { resources: {}, placement: {} } }),
    )
    for (const key of [...keys, 'deploy.resources', 'deploy.placement'])
      assert.equal(
        found.filter((sentence) => sentence.startsWith(`${key} is not honoured`)).length,
        1,
        key,
      )
    assert.equal(found.length, keys.length + 2)
  })

  it('is the memory that a rule raises', () => {
    const rule = { when: {}, action: 'retry', count: true } as const
    const found = processScheduler.warnings(
      typeWith({}, [rule, { ...rule, memory: { factor: 2 } }]),
    )
    assert.equal(found.length, 1)
    assert.match(found[0]!, /^x-task\.retry\.rules\[1\]\.resources /)
  })

  it('is a type with no command of its own, and a signal that Linux does not have', () => {
    const type = typeWith({})
    const { command: _, ...service } = type.service
    const found = processScheduler.warnings({
      ...type,
      service: { ...service, stopSignal: 'SIGFOO' },
    })
    assert.match(found.join('\n'), /SIGFOO/)
    assert.match(found.join('\n'), /^command: /m)
  })
})

it('A process is rendered as what is run, where, with what, and how it is stopped.', () => {
  const unit = unitNamed('lh-u', { entrypoint: ['a'], command: ['b'], environment: { X: '1' } })
  assert.deepEqual(processScheduler.render(unit), {
    argv: ['a', 'b'],
    cwd: 'units/lh-u/work',
    environment: { X: '1' },
    inherits: ['PATH', 'HOME', 'USER', 'LANG', 'TZ', 'TMPDIR', 'LC_*'],
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
  })
})
