import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { until } from '../support/store.ts'
import { Cli, runCli } from './run-cli.ts'
import {
  eventFrame,
  FAILED,
  type Handler,
  sendJson,
  sendProblem,
  sendReady,
  StubDaemon,
  succeededTask,
  wireTask,
} from './stub-daemon.ts'

const AT = '2030-01-01T00:00:05.000Z'
const EXIT = { ...FAILED, at: AT, message: 'it broke', logTail: 'one\ntwo\u001b[2J\n' }
const RETRYING = wireTask({
  dueAt: '2030-01-01T00:01:00.000Z',
  attempts: [
    {
      number: 1,
      run: 1,
      state: 'exited',
      startedAt: '2030-01-01T00:00:02.000Z',
      node: 'n1',
      exit: EXIT,
    },
  ],
})

describe('reading commands', () => {
  let stub: StubDaemon
  beforeEach(async () => {
    stub = await StubDaemon.start(() => undefined)
  })
  afterEach(() => stub[Symbol.asyncDispose]())

  const answers = (handle: Handler) => {
    stub.handle = handle
  }
  const cli = (...args: string[]) => runCli([...args, '--url', stub.url])

  it('list tasks by page, with a tab between columns, and say where there are more', async () => {
    answers(({ url }, response) => {
      const query = new URL(url, stub.url).searchParams
      const count = Number(query.get('limit'))
      const tasks = Array.from({ length: count }, (_, n) =>
        query.get('cursor') === null && n === 0 ? RETRYING : succeededTask({ id: `greet/${n}` }),
      )
      sendJson(response, 200, { tasks, next: 'more' })
    })
    const args = ['--type', 'greet', '--state', 'queued', '--limit', '250']
    const { code, stdout, stderr } = await cli('task', 'list', ...args)
    assert.equal(code, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 250)
    assert.equal(
      lines[0],
      'greet/1\tqueued\t1\t2030-01-01T00:00:00.000Z\tdue 2030-01-01T00:01:00.000Z, after failed, exit code 3: it broke',
    )
    assert.equal(lines[1], 'greet/1\tsucceeded\t1\t2030-01-01T00:00:00.000Z\t')
    assert.match(stderr, /newest 250.*--limit 2500/)
    assert.deepEqual(
      stub.asked.map(({ url }) => url),
      [
        '/v1/tasks?type=greet&state=queued&limit=200',
        '/v1/tasks?type=greet&state=queued&limit=50&cursor=more',
      ],
    )
    const json = await cli('task', 'list', '--json', '--limit', '1')
    assert.deepEqual(JSON.parse(json.stdout), { tasks: [RETRYING], more: true })
  })

  it('show a task on one screen: its state, its attempts, what it wrote, what comes next', async () => {
    answers((_, response) => {
      sendJson(response, 200, RETRYING)
    })
    const { code, stdout } = await cli('task', 'show', 'greet/a b/ü')
    assert.equal(code, 0)
    assert.equal(stub.asked[0]!.url, '/v1/tasks/greet/a%20b%2F%C3%BC')
    assert.equal(
      stdout,
      [
        'task\tgreet/1',
        'state\tqueued',
        'run\t1',
        'created\t2030-01-01T00:00:00.000Z',
        'input\t15 bytes',
        'next\tmay start 2030-01-01T00:01:00.000Z',
        '',
        'attempt 1\trun 1\t2030-01-01T00:00:02.000Z\t3s\tn1\tfailed, exit code 3: it broke',
        '',
        "the end of attempt 1's output",
        '  one',
        '  two␛[2J',
        '',
      ].join('\n'),
    )
    assert.deepEqual(JSON.parse((await cli('task', 'show', 'greet/1', '--json')).stdout), RETRYING)
  })

  it('show since when the node of an attempt has not answered, and how a lost one ended after all', async () => {
    const lost = { number: 1, run: 1, state: 'exited', startedAt: AT, node: 'n1' } as const
    const exit = { reason: 'node-lost', fault: 'infrastructure', at: AT } as const
    const lateExit = { ...exit, reason: 'completed', fault: 'none' } as const
    const away = { number: 2, run: 1, state: 'running', startedAt: AT, node: 'n2' } as const
    answers((_, response) => {
      const attempts = [
        { ...lost, exit, lateExit },
        { ...away, unreachableSince: AT },
      ]
      sendJson(response, 200, wireTask({ state: 'running', attempts }))
    })
    const lines = (await cli('task', 'show', 'greet/1')).stdout.split('\n')
    const shown = lines
      .filter((line) => line.startsWith('attempt'))
      .map((line) => line.split('\t').at(-1))
    assert.deepEqual(shown, [
      'node-lost (its copy ended later: completed)',
      `running, and its node has not answered since ${AT}`,
    ])
  })

  it('show why a task has failed, who cancels it, and what to do where it is stuck', async () => {
    const facts = async (differs: Parameters<typeof wireTask>[0]) => {
      answers((_, response) => {
        sendJson(response, 200, wireTask(differs))
      })
      const { stdout } = await cli('task', 'show', 'greet/1')
      return new Map(stdout.split('\n').map((line) => line.split('\t') as [string, string]))
    }
    const failed = await facts({
      state: 'failed',
      priority: 7,
      outcome: { state: 'failed', at: AT, exit: EXIT, rule: 'retry.rules[0]: …' },
    })
    assert.equal(failed.get('why'), 'failed, exit code 3: it broke')
    assert.equal(failed.get('rule'), 'retry.rules[0]: …')
    assert.equal(failed.get('ended'), AT)
    assert.equal(failed.get('priority'), '7')
    const stuck = await facts({
      id: "greet/o'clock",
      state: 'exited',
      stuck: { since: AT, reason: 'no definition' },
      cancelRequested: { at: AT, by: 'kim', reason: 'no need' },
    })
    assert.equal(stuck.get('stuck'), `no definition (since ${AT})`)
    assert.match(stuck.get('remedy')!, /longhaul task redrive 'greet\/o'\\''clock'$/)
    assert.equal(stuck.get('cancel'), `asked for ${AT} by kim: no need`)
  })

  it('print the output of the latest attempt byte by byte, or of the one that is named', async () => {
    answers(({ url }, response) => {
      if (url.includes('/logs'))
        response.write(Buffer.from([0x61, 0xff, 0x0a]), () => response.end())
      else
        sendJson(
          response,
          200,
          succeededTask({
            attempts: [1, 2].map((number) => ({ number, run: 1, state: 'exited' })),
          }),
        )
    })
    const latest = await cli('task', 'logs', 'greet/1')
    assert.equal(latest.code, 0)
    assert.equal(latest.stdout, 'a\ufffd\n')
    assert.equal(stub.asked.at(-1)!.url, '/v1/tasks/greet/1/attempts/2/logs?follow=false')
    await cli('task', 'logs', 'greet/1', '--attempt', '1')
    assert.equal(stub.asked.at(-1)!.url, '/v1/tasks/greet/1/attempts/1/logs?follow=false')
    const json = await cli('task', 'logs', 'greet/1', '--json')
    assert.deepEqual(JSON.parse(json.stdout), { task: 'greet/1', attempt: 2, log: 'a\ufffd\n' })
  })

  it('say that a task has no attempt yet, and with --follow wait for it', async () => {
    let task = wireTask({ dueAt: AT })
    answers(({ url }, response) => {
      if (url.includes('/logs')) response.end('hello\n')
      else sendJson(response, 200, task)
    })
    const now = await cli('task', 'logs', 'greet/1')
    assert.equal(now.code, 1)
    assert.equal(
      now.stderr,
      `longhaul: greet/1 has no attempt yet: it is queued, and may start at ${AT}\n`,
    )
    stub.asked.length = 0
    await using following = new Cli(['task', 'logs', 'greet/1', '--follow', '--url', stub.url])
    await until(() => stub.asked.length > 0, 'it has looked')
    task = succeededTask()
    assert.deepEqual(await following.ended, { code: 0, stdout: 'hello\n', stderr: '' })
    assert.match(stub.asked.at(-2)!.url, /follow=true$/)
  })

  it('do not take a daemon that stops for an attempt that is over', async () => {
    const running = wireTask({
      state: 'running',
      attempts: [{ number: 1, run: 1, state: 'running' }],
    })
    answers(({ url }, response) => {
      if (url.includes('/logs')) response.end('half\n')
      else sendJson(response, 200, running)
    })
    const ended = await cli('task', 'logs', 'greet/1', '--follow')
    assert.equal(ended.code, 69)
    assert.equal(ended.stdout, 'half\n')
    assert.match(ended.stderr, /attempt 1 goes on/)
    answers(({ url }, response) => {
      if (url.includes('/logs')) response.write('half\n', () => response.destroy())
      else sendJson(response, 200, running)
    })
    const cut = await cli('task', 'logs', 'greet/1')
    assert.equal(cut.code, 69)
    assert.match(cut.stderr, /broke off/)
  })

  it('print the events that are kept and end, on a log that goes on being written', async () => {
    /** Ten are kept at the start; then one comes every few milliseconds. */
    let count = 10
    const live = new Set<ServerResponse>()
    const writing = setInterval(() => {
      count += 1
      for (const response of live) response.write(eventFrame(count, 'started', { attempt: 1 }))
    }, 5)
    answers(({ headers, url }, response) => {
      sendReady(response)
      const after = headers['last-event-id'] ?? (url.includes('after=0') ? 0 : count)
      for (let id = Number(after) + 1; id <= count; id += 1) {
        response.write(eventFrame(id, 'started', { attempt: 1 }))
      }
      live.add(response)
      response.on('close', () => live.delete(response))
    })
    try {
      const { code, stdout, stderr } = await cli('events')
      assert.equal(stderr, '')
      assert.equal(code, 0)
      const lines = stdout.trimEnd().split('\n')
      assert.ok(lines.length >= 10)
      assert.equal(lines[0], '2030-01-01T00:00:01.000Z\tlonghaul/task-started\tgreet/1\tattempt 1')
      const times = lines.map((line) => line.slice(0, 24))
      assert.deepEqual(times, [...new Set(times)].sort())
    } finally {
      clearInterval(writing)
    }
  })

  it('print events as JSON lines, filtered by type, also where the daemon pauses in between', async () => {
    const frames = [
      eventFrame(1, 'accepted'),
      eventFrame(2, 'accepted', { taskType: 'other' }),
      eventFrame(3, 'rejected', { taskType: undefined, taskId: undefined, errors: [] }),
      eventFrame(4, 'succeeded'),
    ]
    answers(({ headers, url }, response) => {
      sendReady(response)
      const after = headers['last-event-id'] ?? (url.includes('after=0') ? 0 : 4)
      // It pauses for longer than silence is trusted.
      const next = frames.slice(Number(after), Number(after) + 2)
      for (const frame of next) response.write(frame)
    })
    const { code, stdout } = await cli('events', '--json', '--type', 'greet')
    assert.equal(code, 0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      events.map(({ id, event }) => [id, event]),
      [
        ['1', 'longhaul/task-accepted'],
        ['4', 'longhaul/task-succeeded'],
      ],
    )
    assert.deepEqual(Object.keys(events[0]!), [
      'id',
      'event',
      'message',
      'attributes',
      'stickyAttributes',
    ])
  })

  it('end with nothing where nothing is kept', async () => {
    answers((_, response) => {
      sendReady(response)
    })
    assert.deepEqual(await cli('events'), { code: 0, stdout: '', stderr: '' })
  })

  it('do not take a stream that is cut for the end of the log', async () => {
    answers(({ url }, response) => {
      sendReady(response)
      if (url.includes('after=0')) response.end(eventFrame(1, 'accepted'))
    })
    const { code, stderr } = await cli('events')
    assert.equal(code, 69)
    assert.match(stderr, /closed the stream/)
  })

  it('follow the events from the oldest kept over a restart, each once', async () => {
    let response: ServerResponse | undefined
    answers((_, opened) => {
      sendReady(opened)
      response = opened
    })
    await using following = new Cli(['events', '--follow', '--type', 'greet', '--url', stub.url])
    await until(() => response !== undefined, 'it is there', 10_000)
    assert.equal(stub.asked[0]!.url, '/v1/events?type=greet&after=0')
    response!.write(eventFrame(1, 'accepted'))
    await until(() => following.stdout.includes('task-accepted'), 'the first event')
    response = undefined
    await stub.down()
    await until(() => following.stderr.includes('Waiting'), 'the notice')
    await stub.up()
    await until(() => response !== undefined, 'it is there again', 10_000)
    assert.equal(stub.asked[1]!.headers['last-event-id'], '1')
    response!.write(`event: longhaul/gap\ndata: {}\n\n${eventFrame(2, 'succeeded')}`)
    await until(() => following.stdout.includes('task-succeeded'), 'the second event')
    assert.match(following.stderr, /The daemon is back/)
    assert.match(following.stderr, /have been purged/)
  })

  it('list, show, replay and drop dead letters', async () => {
    const letter = {
      id: 'dead/1',
      messageId: 'm1',
      name: 'media/encode',
      at: AT,
      tries: 10,
      error: { name: 'Error', message: 'no\nsuch type', stack: 'Error: no\n  at x' },
    }
    answers(({ method, url }, response) => {
      if (method === 'DELETE') response.writeHead(204).end()
      else if (url.startsWith('/v1/dead-letters?')) {
        sendJson(response, 200, { deadLetters: [letter] })
      } else if (url.endsWith('/none')) {
        sendProblem(response, 404, 'unknown-dead-letter', 'there is no dead letter none')
      } else if (method === 'POST') sendJson(response, 202, { id: letter.id })
      else {
        sendJson(response, 200, { ...letter, body: { encoding: 'utf8', data: '{"a":1}\n\u0007' } })
      }
    })
    const list = await cli('dead-letters', 'list')
    assert.equal(list.stdout, `dead/1\tmedia/encode\t${AT}\t10\tno such type\n`)
    const json = await cli('dead-letters', 'list', '--json')
    assert.deepEqual(JSON.parse(json.stdout), { deadLetters: [letter], more: false })
    const show = await cli('dead-letters', 'show', 'dead/1')
    assert.match(show.stdout, /^error\tError: no such type$/m)
    assert.ok(show.stdout.endsWith('\nbody\n{"a":1}\n␇\n'))
    assert.equal((await cli('dead-letters', 'replay', 'dead/1')).stdout, 'dead/1\n')
    assert.equal((await cli('dead-letters', 'drop', 'dead/1')).stdout, 'dead/1\n')
    assert.deepEqual(
      stub.asked.slice(-2).map(({ method, url }) => `${method} ${url}`),
      ['POST /v1/dead-letters/dead%2F1/replay', 'DELETE /v1/dead-letters/dead%2F1'],
    )
    assert.deepEqual(await cli('dead-letters', 'show', 'none'), {
      code: 1,
      stdout: '',
      stderr: 'longhaul: there is no dead letter none\n',
    })
  })

  it('tell the daemon who cancels and redrives, and why', async () => {
    const task = wireTask({ state: 'running' })
    answers((_, response) => {
      sendJson(response, 202, task)
    })
    const env = { USER: 'kim' }
    const run = (...args: string[]) => runCli([...args, '--url', stub.url], { env })
    const cancel = await run('task', 'cancel', 'greet/1', '--reason', 'no need')
    assert.deepEqual(cancel, { code: 0, stdout: 'greet/1\trunning\n', stderr: '' })
    const redrive = await run('task', 'redrive', 'greet/1', '--json')
    assert.deepEqual(JSON.parse(redrive.stdout), task)
    assert.deepEqual(
      stub.asked.map(({ method, url, body }) => [method, url, JSON.parse(body) as unknown]),
      [
        ['POST', '/v1/tasks/greet/1/cancel', { by: 'kim', reason: 'no need' }],
        ['POST', '/v1/tasks/greet/1/redrive', { by: 'kim' }],
      ],
    )
  })
})
