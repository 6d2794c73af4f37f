import assert from 'node:assert/strict'
import { Installation, shell, waitsFor } from '../support/daemon.ts'
import { until } from '../support/store.ts'
import { EventReader } from './event-reader.ts'

describe('events and output', function () {
  this.timeout(30_000)
  let daemon: Installation

  before(async () => {
    daemon = await Installation.make({
      told: {
        command: shell('[ "$LONGHAUL_ATTEMPT" -gt 1 ] || exit 3'),
        'x-task': {
          command: 'told/do',
          id: '/order',
          retry: { backoff: { initial: '10ms', max: '10ms' } },
          events: {
            accepted: 'told/accepted',
            started: 'told/started',
            exited: 'told/exited',
            retrying: 'told/retrying',
            succeeded: 'told/succeeded',
          },
        },
      },
      surroundings: {
        command: shell('env'),
        environment: { FIXED: 'as $$it is', NUMBER: 5 },
        'x-task': {
          environment: { WHOLE: '/list', TEXT: '/text', NONE: '/none' },
          arguments: ['--flag', { from: '/text' }],
        },
      },
      arguments: {
        command: ['printf', '<%s>'],
        'x-task': { arguments: ['--in', { from: '/text' }, { from: '/list' }] },
      },
      held: { command: waitsFor('gate'), 'x-task': {} },
      kept: { command: shell('echo kept; exit 1'), 'x-task': { retry: { max_attempts: 1 } } },
      gone: {
        command: shell('seq 1 20000; echo ünd Ende'),
        'x-task': { keep: { log_tail: '1k' } },
      },
      heavy: {
        command: ['true'],
        image: 'busybox:1.36',
        deploy: { resources: { limits: { cpus: '1', memory: '1G' } } },
        user: 'nobody',
        'x-task': {},
      },
    })
    assert.equal(await daemon.start(), 'started', daemon.lines.join('\n'))
  })

  after(() => daemon[Symbol.asyncDispose]())

  it('bear the command’s correlation id and sticky attributes, each of them, and the type’s own names', async () => {
    await using reader = await EventReader.open(daemon, '?task=told/9')
    const stickyAttributes = { workflowId: 'w-1', count: 3, flag: true }
    await daemon.send(
      { $name: 'told/do', $version: 4, order: 9, nested: { ä: [1, null] } },
      { id: 'm-9', correlationId: 'c/9 ö', stickyAttributes, attributes: { other: 'x' } },
    )
    await reader.named('told/succeeded')
    const kinds = ['accepted', 'started', 'exited', 'retrying', 'started', 'exited', 'succeeded']
    assert.deepEqual(
      reader.names,
      kinds.flatMap((kind) => [`longhaul/task-${kind}`, `told/${kind}`]),
    )
    for (const event of reader.events) {
      assert.equal(event.correlationId, 'c/9 ö', event.name)
      assert.deepEqual(event.stickyAttributes, stickyAttributes, event.name)
      const { message, name } = event
      assert.equal(message['$name'], name)
      assert.equal(message['$version'], 1)
      assert.deepEqual([message.taskId, message['taskType'], message['run']], ['told/9', 'told', 1])
      const input = name.startsWith('told/') ? { order: 9, nested: { ä: [1, null] } } : undefined
      assert.deepEqual(message['input'], input, name)
    }
    const ids = reader.events.map(({ message: { eventId }, name }) => `${eventId} ${name}`)
    assert.equal(new Set(ids).size, ids.length)
  })

  it('are followed by type, name and task', async () => {
    await using byType = await EventReader.open(daemon, '?type=arguments')
    await using byName = await EventReader.open(daemon, '?name=longhaul/task-started&type=kept')
    const input = { text: 't', list: [] }
    await daemon.run('arguments', 'f', { input })
    await daemon.run('kept', 'f')
    await byType.named('longhaul/task-succeeded')
    await byName.named('longhaul/task-started')
    assert.ok(byType.events.every(({ message: { taskId } }) => taskId === 'arguments/f'))
    assert.deepEqual(byName.names, ['longhaul/task-started'])
    assert.equal((await daemon.fetch('/v1/events?after=nonsense')).status, 422)
  })

  it('give an attempt its environment, and its output is there after its release', async () => {
    const input = { text: 'a "b" $HOME', list: [1, { x: 'ü' }] }
    await daemon.run('surroundings', 'it is', { input })
    const task = await daemon.ended('surroundings/it%20is')
    assert.equal(task.outcome?.state, 'succeeded')
    await until(
      async () => !(await daemon.units()).some((unit) => unit.includes('lh-surroundings-')),
      'it is released',
    )
    const lines = (await daemon.output('surroundings/it%20is')).split('\n')
    for (const line of [
      'LONGHAUL_TASK_ID=surroundings/it is',
      'LONGHAUL_TASK_TYPE=surroundings',
      'LONGHAUL_RUN=1',
      'LONGHAUL_ATTEMPT=1',
      `LONGHAUL_INPUT=${JSON.stringify(input)}`,
      'FIXED=as $it is',
      'NUMBER=5',
      'TEXT=a "b" $HOME',
      'WHOLE=[1,{"x":"ü"}]',
    ]) {
      assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`)
    }
    assert.ok(!lines.some((line) => line.startsWith('NONE=')), 'what is not there is not set')
    assert.ok(!lines.some((line) => line.startsWith('LONGHAUL_LOG=')), 'nothing of the daemon’s')
  })

  it('give arguments as whole strings, whatever stands in them', async () => {
    const input = { text: '; rm -rf / $(id) "', list: ['a b'] }
    await daemon.run('arguments', '1', { input })
    await daemon.ended('arguments/1')
    assert.equal(await daemon.output('arguments/1'), '<--in><; rm -rf / $(id) "><["a b"]>')
  })

  it('follow the output of what runs, to its end', async () => {
    await daemon.run('held', '1')
    await daemon.inState('held/1', 'running')
    const response = await daemon.fetch('/v1/tasks/held/1/attempts/1/logs?follow=true')
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain/)
    let text = ''
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      if (text === 'waiting\n') await daemon.touch('gate')
    }
    assert.equal(text, 'waiting\ndone with gate\n')
    assert.equal((await daemon.fetch('/v1/tasks/held/1/attempts/2/logs')).status, 404)
    assert.equal((await daemon.fetch('/v1/tasks/held/none/attempts/1/logs')).status, 404)
  })

  it('keep all output of a failure, and the end of a success', async () => {
    await daemon.run('kept', '1')
    await daemon.ended('kept/1')
    assert.equal(await daemon.output('kept/1'), 'kept\n')
    await daemon.run('gone', '1')
    const { attempts } = await daemon.ended('gone/1')
    const tail = attempts[0]?.exit?.logTail ?? ''
    assert.ok(Buffer.byteLength(tail) <= 1024)
    assert.ok(tail.endsWith('20000\nünd Ende\n'))
    await until(async () => (await daemon.output('gone/1')) === tail, 'its unit is released')
    // Nine bytes would begin in the middle of the ü.
    const path = '/v1/tasks/gone/1/attempts/1/logs?tail=9'
    assert.equal(await (await daemon.fetch(path)).text(), 'nd Ende\n')
  })

  it('say of a task type what processes cannot honour', async () => {
    interface View {
      readonly name: string
      readonly definition: string
      readonly warnings: readonly string[]
    }
    const { taskTypes } = await daemon.json<{ taskTypes: View[] }>('/v1/task-types')
    const of = (name: string) => taskTypes.find((type) => type.name === name)
    assert.ok(of('heavy')?.warnings.some((warning) => warning.includes('deploy.resources')))
    assert.ok(of('heavy')?.warnings.some((warning) => warning.includes('user')))
    assert.deepEqual(of('held')?.warnings, [])
    assert.match(of('held')?.definition ?? '', /^[0-9a-f]{64}$/)
  })

  it('resume after Last-Event-ID when the daemon has been away: none missing, none again', async () => {
    await using first = await EventReader.open(daemon, '?type=told')
    await daemon.send({ $name: 'told/do', order: 100 })
    await first.named('told/started')
    await daemon.end('SIGKILL')
    await until(() => first.over, 'the stream is over')
    assert.equal(await daemon.start(), 'started')
    await using second = await EventReader.open(daemon, '?type=told', first.events.at(-1)?.cursor)
    await second.named('told/succeeded')
    await using all = await EventReader.open(daemon, '?type=told&after=0&task=told/100')
    await all.named('told/succeeded')
    const keys = (reader: EventReader) =>
      reader.events.map(({ name, message: { eventId } }) => `${eventId} ${name}`)
    assert.deepEqual([...keys(first), ...keys(second)], keys(all))
  })
})
