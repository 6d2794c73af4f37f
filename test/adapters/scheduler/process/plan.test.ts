import assert from 'node:assert/strict'
import { planOf, signalNumber } from '../../../../adapters/scheduler/process/plan.ts'
import { shimCommand } from '../../../../adapters/scheduler/process/shim.ts'
import { Rejected } from '../../../../src/core/errors.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

describe('the plan of a process', () => {
  it('runs the entrypoint with the command behind it', () => {
    const unit = unitNamed('u', { entrypoint: ['encode', '--fast'], command: ['a b', '$X'] })
    assert.deepEqual(planOf(unit, {}).argv, ['encode', '--fast', 'a b', '$X'])
  })

  it("takes a few variables of the daemon's and then the unit's own, and nothing else", () => {
    const daemon = {
      PATH: '/bin',
      HOME: '/root',
      LC_ALL: 'C',
      LC_TIME: 'de',
      TZ: 'UTC',
      DATABASE_PASSWORD: 'secret',
      NODE_OPTIONS: '--inspect',
    }
    const { environment } = planOf(
      unitNamed('u', { command: ['x'], environment: { TZ: 'CET', A: '1' } }),
      daemon,
    )
    assert.deepEqual(environment, {
      PATH: '/bin',
      HOME: '/root',
      LC_ALL: 'C',
      LC_TIME: 'de',
      TZ: 'CET',
      A: '1',
    })
  })

  it("counts a relative working_dir from the type's file", () => {
    const service = { command: ['x'], workingDir: '../media' }
    assert.equal(
      planOf(unitNamed('u', service, { directory: '/etc/tasks' }), {}).workingDir,
      '/etc/media',
    )
    assert.equal(planOf(unitNamed('u', { command: ['x'] }), {}).workingDir, undefined)
    assert.equal(
      planOf(unitNamed('u', { command: ['x'], workingDir: '/srv' }), {}).workingDir,
      '/srv',
    )
  })

  for (const [what, service] of [
    ['nothing to run', {}],
    ['an empty command', { command: [''] }],
    ['an unknown signal', { command: ['x'], stopSignal: 'SIGNONE' }],
    ['a NUL byte in an argument', { command: ['x', 'a\0b'] }],
    ['a NUL byte in a value', { command: ['x'], environment: { A: '\0' } }],
    ['a name that no variable can have', { command: ['x'], environment: { 'A=B': 'c' } }],
  ] as const)
    it(`rejects ${what}`, () => {
      assert.throws(() => planOf(unitNamed('u', service), {}), Rejected)
    })

  it('knows signals by name, short name and number', () => {
    const known = ['SIGTERM', 'TERM', 'sigusr1', '15', 'SIGRTMIN+3', 'RTMAX', 'SIGRTMAX-1']
    assert.deepEqual(known.map(signalNumber), [15, 15, 10, 15, 37, 64, 63])
    for (const unknown of ['', '0', '65', 'SIGRTMIN+31', 'SIGRTMIN-1', 'constructor'])
      assert.equal(signalNumber(unknown), undefined)
  })

  it('gives the shim nothing by which a value could become shell text or shell state', () => {
    const environment = {
      PLAIN: '$(id)',
      'dotted.name': 'x',
      BASH_ENV: '/evil',
      IFS: 'x',
      LD_PRELOAD: 'y',
    }
    const plan = planOf(unitNamed('u', { command: ['-c', '; id'], environment }), {})
    const options = { shell: '/bin/sh', boot: 'b', folder: '/u', name: 'u', umask: '022' }
    const { args, options: spawned } = shimCommand(plan, options)
    assert.deepEqual(spawned.env, { PLAIN: '$(id)' })
    assert.deepEqual(args.slice(-6), [
      'dotted.name=x',
      'BASH_ENV=/evil',
      'IFS=x',
      'LD_PRELOAD=y',
      '-c',
      '; id',
    ])
    assert(!args[1]!.includes('$(id)') && !args[1]!.includes('; id'))
  })
})
