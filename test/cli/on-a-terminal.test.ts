import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { skipUnless } from '../support/services.ts'
import { until } from '../support/store.ts'
import { Cli, runCli, TERMINAL } from './run-cli.ts'
import {
  eventFrame,
  FAILED,
  sendJson,
  sendReady,
  StubDaemon,
  succeededTask,
  wireTask,
} from './stub-daemon.ts'

const ESC = '\u001b'

describe('on a terminal', () => {
  before(function () {
    const { error } = spawnSync(TERMINAL, ['--version'])
    skipUnless(this, 'pseudo-terminal', error === undefined, '`script` of util-linux is not here')
  })

  const ago = (ms: number) => new Date(Date.now() - ms).toISOString()

  it('tables are aligned under headings, in colours and with relative times', async () => {
    await using stub = await StubDaemon.start((_, response) => {
      const tasks = [
        wireTask({ id: 'greet/a-long-id', createdAt: ago(125_000), state: 'running' }),
        succeededTask({ id: 'greet/1', createdAt: ago(7_300_000) }),
      ]
      sendJson(response, 200, { tasks })
    })
    const list = (env: Readonly<Record<string, string>> = {}) =>
      runCli(['task', 'list', '--url', stub.url], { terminal: true, env })
    const { code, stdout } = await list()
    assert.equal(code, 0)
    assert.ok(stdout.includes(`${ESC}[36mrunning${ESC}[39m`), stdout)
    const plain = await list({ NO_COLOR: '1' })
    assert.equal(
      plain.stdout.replaceAll('\r', ''),
      [
        'TASK             STATE      ATTEMPTS  CREATED',
        'greet/a-long-id  running    0         2m ago',
        'greet/1          succeeded  1         2h ago',
        '',
      ].join('\n'),
    )
    stub.handle = (_, response) => {
      sendJson(response, 200, { tasks: [] })
    }
    assert.match((await list()).stdout, /no tasks/)
  })

  it('a task is shown with both times, and its output cannot take the terminal over', async () => {
    const createdAt = ago(65_000)
    await using stub = await StubDaemon.start((_, response) => {
      const exit = { ...FAILED, at: ago(0), logTail: `${ESC}]0;title\u0007` }
      const attempts = [
        { number: 1, run: 1, state: 'exited' as const, startedAt: ago(3_000), exit },
      ]
      sendJson(response, 200, wireTask({ createdAt, attempts }))
    })
    const { stdout } = await runCli(['task', 'show', 'greet/1', '--url', stub.url], {
      terminal: true,
      env: { NO_COLOR: '1' },
    })
    assert.ok(stdout.includes(`created  1m ago (${createdAt})`), stdout)
    assert.ok(!stdout.includes(ESC), stdout)
    assert.ok(stdout.includes('␛]0;title␇'), stdout)
  })

  it('a live line tells how it stands while it waits, and is gone in the end', async () => {
    let task = wireTask()
    let tell: ((frame: string) => void) | undefined
    await using stub = await StubDaemon.start(({ method, url }, response) => {
      if (url.startsWith('/v1/events')) {
        sendReady(response)
        tell = (frame) => response.write(frame)
      } else sendJson(response, method === 'POST' ? 201 : 200, task)
    })
    await using cli = new Cli(['task', 'run', 'greet', '--wait', '--url', stub.url], {
      terminal: true,
    })
    await until(() => cli.stdout.includes('waits for its start'), 'it waits', 10_000)
    tell!(eventFrame(2, 'started', { attempt: 1 }))
    await until(() => cli.stdout.includes('attempt 1 is running  1'), 'it counts', 10_000)
    task = succeededTask()
    tell!(eventFrame(3, 'succeeded'))
    const { code, stdout } = await cli.ended
    assert.equal(code, 0)
    assert.equal(onScreen(stdout).filter((line) => line.includes('in all')).length, 0)
    assert.deepEqual(
      onScreen(stdout)
        .filter((line) => line !== '')
        .map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, '')),
      [
        'greet/1',
        'accepted',
        'attempt 1 started',
        'attempt 1 ended: completed',
        'succeeded; default: exit code 0',
      ],
    )
  })

  it('Ctrl-C while it waits takes the live line away and says that the task goes on', async () => {
    await using stub = await StubDaemon.start(({ url }, response) => {
      if (url.startsWith('/v1/events')) sendReady(response)
      else sendJson(response, 201, wireTask())
    })
    await using cli = new Cli(['task', 'run', 'greet', '--wait', '--url', stub.url], {
      terminal: true,
    })
    await until(() => cli.stdout.includes('waits for its start'), 'it waits', 10_000)
    cli.child.stdin.write('\u0003')
    const { code, stdout } = await cli.ended
    assert.equal(code, 130)
    assert.match(onScreen(stdout).join('\n'), /Interrupted: greet\/1 goes on/)
    assert.doesNotMatch(onScreen(stdout).join('\n'), /in all/)
  })
})

/** What is to be read in the end: lines that were wiped away are gone, colours too. */
function onScreen(output: string): string[] {
  return output.split('\n').map((line) =>
    line
      .split(`${ESC}[2K`)
      .at(-1)!
      // eslint-disable-next-line no-control-regex -- what a terminal is told is what is looked at
      .replace(/\u001b\[\d*m|\r|\^C/g, ''),
  )
}
