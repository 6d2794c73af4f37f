import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { Installation } from '../support/daemon.ts'
import { until } from '../support/store.ts'

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 25)
const TASKS_A_ROUND = 12
const PROGRAMS = join(import.meta.dirname, '../fixtures/programs')

/**
 * Writes down that it runs before anything else, with one appending write; then does as its kind says:
 * `ok` succeeds, `once` fails at its first attempt, `hard` fails for good, `flaky` takes longer and may
 * be in the middle of it when the daemon is killed.
 */
const PROGRAM = `
echo "$LONGHAUL_TASK_ID $LONGHAUL_ATTEMPT" >> "$RAN"
case $KIND in
  once) [ "$LONGHAUL_ATTEMPT" -gt 1 ] || exit 3 ;;
  hard) exit 65 ;;
  flaky) sleep 0.7; [ "$LONGHAUL_ATTEMPT" -gt 1 ] || kill -9 $$ ;;
esac
`

function run(program: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(PROGRAMS, program), ...args], { stdio: 'inherit' })
}

function lines(file: string): string[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').filter(Boolean)
}

describe('a daemon that is killed again and again', function () {
  this.timeout(60_000 + ROUNDS * 4_000)

  it('loses no command, starts no attempt twice, and tells everything exactly once', async () => {
    await using installation = await Installation.make({})
    const { folder, url } = installation
    const files = { ran: join(folder, 'ran'), sent: join(folder, 'sent'), got: join(folder, 'got') }
    await installation.writeType('work', {
      command: ['sh', '-c', PROGRAM.replaceAll('$', '$$$$')],
      environment: { RAN: files.ran },
      'x-task': {
        command: 'e2e/work',
        id: '/workId',
        input: { type: 'object', required: ['workId', 'kind'] },
        environment: { KIND: '/kind' },
        retry: {
          max_attempts: 5,
          backoff: { initial: '50ms', max: '200ms' },
          rules: [{ when: { exit_code: [65] }, action: 'fail' }],
        },
        events: { succeeded: 'e2e/work-done' },
        keep: { failed_unit: '0s' },
      },
    })
    const count = ROUNDS * TASKS_A_ROUND
    const sender = run('sender.ts', url, files.sent, String(count), '20')
    const subscriber = run('subscriber.ts', url, files.got)
    const sent = once(sender, 'exit')
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        assert.equal(await installation.start(), 'started', installation.lines.slice(-5).join('\n'))
        await pause(20 + Math.random() * 600)
        await installation.end('SIGKILL')
      }
      assert.equal(await installation.start(), 'started')
      const [code] = (await sent) as [number]
      assert.equal(code, 0, 'the sender was refused')
      await until(
        async () => (await installation.tasks()).every(({ outcome }) => outcome !== undefined),
        'every task has its outcome',
        60_000,
      )
      const tasks = await installation.tasks()
      const acknowledged = lines(files.sent)
      assert.equal(acknowledged.length, count)
      assert.deepEqual(
        tasks.map(({ id }) => id).sort(),
        acknowledged.map((id) => `work/${id}`).sort(),
        'every acknowledged command is a task, and nothing else is',
      )
      for (const { id, outcome } of tasks) {
        const expected = id.startsWith('work/hard') ? 'failed' : 'succeeded'
        assert.equal(outcome?.state, expected, `${id}: ${JSON.stringify(outcome)}`)
      }
      const ran = lines(files.ran)
      assert.equal(new Set(ran).size, ran.length, 'an attempt’s program ran twice')

      const events = await logOf(installation)
      const keys = events.map(({ eventId, name }) => `${eventId} ${name}`)
      assert.equal(new Set(keys).size, keys.length, 'an event stands in the log twice')
      for (const { id, attempts } of tasks) {
        const names = events.filter(({ taskId }) => taskId === id).map(({ name }) => name)
        const times = (name: string) => names.filter((other) => other === name).length
        const outcomes = ['succeeded', 'failed', 'cancelled'].map((end) => `longhaul/task-${end}`)
        assert.equal(
          outcomes.reduce((sum, name) => sum + times(name), 0),
          1,
          `${id}: ${names.join()}`,
        )
        assert.equal(times('longhaul/task-accepted'), 1)
        assert.equal(times('longhaul/task-exited'), attempts.length)
        assert.equal(times('longhaul/task-retrying'), attempts.length - 1)
        assert.equal(times('e2e/work-done'), id.startsWith('work/hard') ? 0 : 1)
      }
      await until(() => new Set(lines(files.got)).size >= keys.length, 'the subscriber has all')
      assert.deepEqual([...new Set(lines(files.got))].sort(), [...keys].sort())
      const letters = await installation.json<{ deadLetters?: unknown[] }>('/v1/dead-letters')
      assert.deepEqual(Object.values(letters)[0], [], 'there are dead letters')
      await until(
        () => readdirSync(join(folder, 'data', 'units')).every((name) => name.startsWith('.')),
        'no unit is left over',
      )
      assert.equal(await installation.end(), 0)
      const database = new DatabaseSync(join(folder, 'data', 'longhaul.db'))
      const left = (sql: string) => Object.values(database.prepare(sql).get() ?? {})[0]
      assert.equal(left('SELECT count(*) FROM messages'), 0, 'a message is left over')
      assert.equal(left('SELECT count(*) FROM events WHERE sent_at IS NULL'), 0)
      database.close()
    } finally {
      sender.kill('SIGKILL')
      subscriber.kill('SIGKILL')
    }
  })
})

interface Logged {
  readonly name: string
  readonly eventId: string
  readonly taskId?: string
}

/** The whole log, as a new subscriber sees it. */
async function logOf(installation: Installation): Promise<Logged[]> {
  const found: Logged[] = []
  const ended = new AbortController()
  const response = await installation.fetch('/v1/events?after=0', undefined, {
    signal: ended.signal,
  })
  const total = (await installation.tasks()).length
  let text = ''
  let outcomes = 0
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const frame = text.slice(0, end)
      text = text.slice(end + 2)
      const name = /^event: ?(.*)$/m.exec(frame)?.[1]
      const data = /^data: ?(.*)$/m.exec(frame)?.[1]
      if (name === undefined || data === undefined) continue
      const { message } = JSON.parse(data) as { message: Omit<Logged, 'name'> }
      found.push({
        name,
        eventId: message.eventId,
        ...(message.taskId && { taskId: message.taskId }),
      })
      if (/^longhaul\/task-(succeeded|failed|cancelled)$/.test(name)) outcomes += 1
    }
    if (outcomes >= total && text === '') break
  }
  ended.abort()
  return found
}
