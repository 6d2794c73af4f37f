import assert from 'node:assert/strict'
import { chmod, mkdir, open, readFile, readdir, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { processesIn, signalProcess } from '../../../../adapters/scheduler/process/processes.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { Rejected } from '../../../../src/core/errors.ts'
import { within } from '../../../contract/scheduler-adapter.ts'
import { ProcessHarness, never } from './process-harness.ts'

describe('a program as a process', () => {
  let h: ProcessHarness
  beforeEach(async () => {
    h = await ProcessHarness.open()
  })
  afterEach(async () => {
    await h[Symbol.asyncDispose]()
  })

  const run = async (command: readonly string[], service: Partial<Service> = {}) => {
    const unit = h.command(command, service)
    await h.adapter.start(unit, never)
    const exit = await h.exitOf(unit)
    return { ...exit, unit, log: (await h.file(unit, 'log')) ?? '' }
  }
  const executable = async (name: string, text: string, mode = 0o755): Promise<string> => {
    const path = join(h.directory, name)
    await writeFile(path, text)
    await chmod(path, mode)
    return path
  }

  it('gets its environment exactly, odd names and values included', async () => {
    const environment = {
      PATH: process.env['PATH']!,
      HOME: '/home',
      'a.b': 'c d',
      PWD: 'mine',
      LINES: 'one\ntwo',
      LONGHAUL_INPUT: `{"a":"$HOME \`id\` 'x' \\n %s"}`,
    }
    const { log } = await run(['env', '-0'], { environment })
    const seen = Object.fromEntries(
      log
        .split('\0')
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    const inherited = ['USER', 'LANG', 'TZ', 'TMPDIR'].filter((name) => name in process.env)
    const locale = Object.keys(process.env).filter((name) => name.startsWith('LC_'))
    for (const [name, value] of Object.entries(environment)) assert.equal(seen[name], value)
    assert.deepEqual(
      Object.keys(seen).sort(),
      [...Object.keys(environment), ...inherited, ...locale].sort(),
    )
  })

  it('gets its arguments as they are', async () => {
    const args = ['', 'a b', '*', '$HOME', '"', "'", '\n', '-n', '\\', 'ü']
    const { log } = await run(['printf', '%s\\0', ...args])
    assert.deepEqual(log.split('\0').slice(0, -1), args)
  })

  it('is never a word of the shell', async () => {
    for (const word of ['exit', 'eval', 'trap', ':', '.', 'lh__end'])
      assert.equal((await run([word, '0'])).reason, 'start-failed', word)
  })

  it("runs in the unit's own work folder, or where its type says", async () => {
    const own = await run(['pwd'])
    assert.equal(own.log, `${h.folder(own.unit)}/work\n`)
    assert.equal((await run(['pwd'], { workingDir: '/usr' })).log, '/usr\n')
  })

  it('is found from its working directory when its path has a slash', async () => {
    await mkdir(join(h.directory, 'here'))
    await executable('here/hello', '#!/bin/sh\necho hello "$0"\n')
    const { log } = await run(['./hello'], { workingDir: join(h.directory, 'here') })
    assert.equal(log, 'hello ./hello\n')
  })

  it('is found in its own PATH', async () => {
    await executable('hello', '#!/bin/sh\necho hello\n')
    const environment = { PATH: `/nowhere:${h.directory}:/usr/bin:/bin` }
    assert.equal((await run(['hello'], { environment })).log, 'hello\n')
  })

  it('that is not there, is no file or may not be executed, has failed to start', async () => {
    const secret = await executable('plain', 'text', 0o644)
    for (const [command, message] of [
      ['/no/such/command', /not found: \/no\/such\/command/],
      ['no-such-command', /not found: no-such-command/],
      [secret, /not an executable/],
      ['/usr', /not found|not an executable/],
    ] as const) {
      const { reason, message: said, code } = await run([command])
      assert.deepEqual([reason, code], ['start-failed', undefined])
      assert.match(said ?? '', message)
    }
  })

  it('with exit code 126 or 127 of its own has not failed to start', async () => {
    for (const code of [126, 127]) {
      const { reason, code: seen } = await run(['sh', '-c', `exit ${code}`])
      assert.deepEqual([reason, seen], ['failed', code])
    }
  })

  it('whose working_dir is missing has failed to start', async () => {
    const { reason, message } = await run(['true'], { workingDir: '/no/such/folder' })
    assert.equal(reason, 'start-failed')
    assert.match(message ?? '', /working_dir.*\/no\/such\/folder/)
  })

  it('whose arguments or environment are too large for the system has failed to start', async () => {
    const large = 'x'.repeat(200_000)
    for (const [command, environment] of [
      [['true', large], {}],
      [['true'], { LARGE: large }],
    ] as const) {
      const { reason, message } = await run(command, { environment })
      assert.equal(reason, 'start-failed')
      assert.match(message ?? '', /too large/)
    }
  })

  it('that ends by a signal has been killed by it, and its end has a time', async () => {
    const before = Date.now() - 1000
    const { reason, signal, code, stopped, at } = await run(['sh', '-c', 'kill -USR1 $$'])
    assert.deepEqual([reason, signal, code, stopped], ['killed', 'SIGUSR1', 138, false])
    assert(at !== undefined && at.getTime() > before && at.getTime() <= Date.now())
  })

  for (const stopSignal of ['SIGINT', 'SIGQUIT', 'SIGUSR2', 'SIGRTMIN+3', 'SIGKILL'])
    it(`is stopped by ${stopSignal} where its type says so`, async () => {
      const unit = h.script('exec sleep 1000', { stopSignal })
      await h.startRunning(unit)
      await h.adapter.stop(unit.name, never)
      assert.equal((await h.exitOf(unit)).stopped, true)
    })

  it('may end well when it is stopped', async () => {
    const unit = h.script('trap "exit 0" TERM; echo ready; while :; do sleep 0.01; done')
    await h.startRunning(unit)
    await within(5000, 'ready', async () => (await h.file(unit, 'log')) === 'ready\n' || undefined)
    await h.adapter.stop(unit.name, never)
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.stopped], ['completed', true])
  })

  it('leaves nothing of its group behind when it ends', async () => {
    const unit = h.script('sleep 1000 & echo $!; exit 0')
    await h.adapter.start(unit, never)
    assert.equal((await h.exitOf(unit)).reason, 'completed')
    const left = Number(await h.file(unit, 'log'))
    await within(5000, 'it is gone', async () => {
      const line = await readFile(`/proc/${left}/stat`, 'utf8').catch(() => ') Z')
      return /\) [ZX]/.test(line) || undefined
    })
  })

  it("has none of the daemon's files open, and a session of its own", async () => {
    const file = await open(join(h.directory, 'secret'), 'w')
    try {
      const { log } = await run(['ls', '-l', '/proc/self/fd'])
      assert.match(log, / 1 -> .*\/log\n/)
      assert(!log.includes('secret'))
    } finally {
      await file.close()
    }
    const { log } = await run(['sh', '-c', 'cut -d" " -f5,6 /proc/$$/stat'])
    const [group, session] = log.trim().split(' ')
    assert.equal(group, session)
    assert.notEqual(Number(session), process.pid)
  })

  it('gets an empty input and the default signals', async () => {
    const { log } = await run(['sh', '-c', 'cat; grep -E "^Sig(Ign|Blk)" /proc/self/status'])
    assert.match(log, /^SigBlk:\t0+\nSigIgn:\t0+\n$/)
  })

  it('keeps its folder from everybody else', async () => {
    const { unit } = await run(['true'])
    assert.equal((await stat(h.folder(unit))).mode & 0o777, 0o700)
    for (const name of await readdir(h.folder(unit)))
      assert.equal((await stat(join(h.folder(unit), name))).mode & 0o077, 0, name)
  })

  it('whose claim cannot be written, as on a full disk, never runs and is no success', async () => {
    const shell = await executable(
      'full',
      '#!/bin/sh\ntrap "" XFSZ\nulimit -f 0\nexec /bin/sh "$@"\n',
    )
    await using full = await ProcessHarness.open(shell)
    const unit = full.script('exit 0')
    await full.adapter.start(unit, never)
    assert.equal((await full.exitOf(unit)).reason, 'interrupted')
    assert.equal(await full.runs(unit), 0)
  })

  it('waits with its exit code while that cannot be written, and is not over until then', async () => {
    const unit = h.script('while ! [ -e go ]; do sleep 0.01; done; exit 7')
    await h.startRunning(unit)
    const blocked = join(h.folder(unit), 'exit.7')
    // A folder of that name stands in for a disk that takes no new one; no list is made meanwhile.
    await mkdir(blocked)
    await h.write(unit, 'work/go')
    const shim = await h.shim(unit)
    await within(5000, 'the shim waits', async () => {
      const children = await readFile(`/proc/${shim}/task/${shim}/children`, 'utf8')
      const child = children.trim().split(' ')[0]
      if (child === undefined || child === '') return undefined
      const line = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')
      return line.includes('sleep\u00001\u0000') || undefined
    })
    await rmdir(blocked)
    const exit = await h.exitOf(unit)
    assert.deepEqual([exit.reason, exit.code], ['failed', 7])
  })

  it('that is not there is not signalled', async () => {
    assert.deepEqual(await processesIn(h.directory, 'x'), [])
    assert.equal(signalProcess(4_194_303, 0), false)
  })

  it('needs a name that is no path', async () => {
    const unit = { ...h.command(['true']), name: '../evil' }
    await assert.rejects(h.adapter.start(unit, never), Rejected)
    await h.adapter.stop('../evil', never)
    await h.adapter.remove('.id', never)
    assert.equal((await readdir(join(h.directory, 'units'))).includes('.id'), true)
  })
})
