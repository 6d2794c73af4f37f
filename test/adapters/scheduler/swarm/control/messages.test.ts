import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  WATCH_TASKS_AND_NODES,
  watchMessageOf,
} from '../../../../../adapters/scheduler/swarm/control/messages.ts'
import { field, fieldsOf } from '../../../../../adapters/scheduler/swarm/control/wire.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'

const LABEL = { name: 'longhaul.installation', value: 'ours' }
const message = (...fields: readonly Uint8Array[]): Uint8Array => Buffer.concat(fields)
const read = (...fields: readonly Uint8Array[]) => watchMessageOf(message(...fields), LABEL)

const labels = (number: number, entries: Readonly<Record<string, string>>): readonly Uint8Array[] =>
  Object.entries(entries).map(([name, value]) =>
    field(number, message(field(1, name), field(2, value))),
  )
const time = (number: number, seconds: number, nanos: number): Uint8Array =>
  field(number, message(field(1, seconds), field(2, nanos)))
const event = (action: number, object: Uint8Array): Uint8Array =>
  field(1, message(field(1, action), field(2, object)))
/** A negative number takes ten bytes: 64 bits in sevens. */
const MINUS_ONE = Buffer.from('ffffffffffffffffff01', 'hex')

const task = (installation: string, ...more: readonly Uint8Array[]): Uint8Array =>
  field(
    4,
    message(
      field(1, 't1'),
      field(8, message(field(1, 'lh-a'), ...labels(2, { [LABEL.name]: installation, b: '2' }))),
      ...more,
    ),
  )

describe("messages of swarmkit's Watch API", () => {
  it('ask for every change of tasks and nodes', () => {
    const entry = (kind: string) => `0a${(kind.length + 4).toString(16).padStart(2, '0')}0a04`
    const hex = (text: string) => Buffer.from(text).toString('hex')
    assert.equal(
      Buffer.from(WATCH_TASKS_AND_NODES).toString('hex'),
      `${entry('task')}${hex('task')}1007${entry('node')}${hex('node')}1007`,
    )
  })

  it('are empty where the subscription is confirmed', () => {
    assert.deepEqual(read(), { tasks: [], nodes: [] })
  })

  it('tell of a task what the Engine API says of it', () => {
    const container = message(
      field(1, 'busybox'),
      ...labels(2, { 'longhaul.unit': 'lh-a' }),
      time(9, 30, 500_000_000),
      field(13, 1),
    )
    const status = message(
      time(1, 1_767_225_650, 120_000_000),
      field(2, 704),
      field(3, 'started'),
      field(4, 'task: non-zero exit (3)'),
      field(5, message(field(1, 'c1'), field(2, 4711), field(3, 3))),
    )
    const told = read(
      event(
        2,
        task(
          'ours',
          field(2, message(field(1, message(field(1, 77))), time(2, 1_767_225_600, 0))),
          field(3, message(field(1, container))),
          field(4, 's1'),
          field(6, 'n1'),
          field(9, status),
          field(10, 640),
        ),
      ),
    )
    assert.deepEqual(told.tasks, [
      {
        removed: false,
        task: {
          ID: 't1',
          CreatedAt: '2026-01-01T00:00:00Z',
          ServiceID: 's1',
          NodeID: 'n1',
          DesiredState: 'shutdown',
          Status: {
            State: 'failed',
            Timestamp: '2026-01-01T00:00:50.12Z',
            Message: 'started',
            Err: 'task: non-zero exit (3)',
            ContainerStatus: { ContainerID: 'c1', ExitCode: 3 },
          },
          Spec: {
            ContainerSpec: {
              Labels: { 'longhaul.unit': 'lh-a' },
              StopGracePeriod: 30_500_000_000,
              TTY: true,
            },
          },
        },
      },
    ])
  })

  it('tell the same with what newer managers say besides, and of which version, or without it', () => {
    const status = (...more: readonly Uint8Array[]) =>
      event(2, task('ours', field(9, message(time(1, 1_767_225_650, 0), field(2, 512), ...more))))
    const plain = read(status())
    assert.equal(plain.tasks[0]?.task.Status.State, 'running')
    // TaskStatus: applied_by = 7, applied_at = 8. WatchMessage: version = 2, of what is told again alone.
    const applied = status(field(7, 'n1'), time(8, 1_767_225_651, 5))
    assert.deepEqual(read(applied), plain)
    assert.deepEqual(read(applied, field(2, field(1, 77))), plain)
  })

  it('tell of a task that has hardly been made, in which everything is absent that is nought', () => {
    assert.deepEqual(read(event(1, task('ours'))).tasks, [
      {
        removed: false,
        task: { ID: 't1', ServiceID: '', DesiredState: 'new', Status: { State: 'new' }, Spec: {} },
      },
    ])
  })

  it('tell that a task is no more', () => {
    assert.equal(read(event(4, task('ours'))).tasks[0]?.removed, true)
  })

  it('keep a code below zero, which swarmkit has for a moment', () => {
    const container = message(field(1, 'c1'), Buffer.from([24]), MINUS_ONE)
    const told = read(event(2, task('ours', field(9, field(5, container)))))
    assert.equal(told.tasks[0]?.task.Status.ContainerStatus?.ExitCode, -1)
  })

  it('leave out tasks of others', () => {
    assert.deepEqual(read(event(2, task('theirs')), event(2, field(4, field(1, 't2')))).tasks, [])
  })

  it('tell of a node what the Engine API says of it', () => {
    const states = ['unknown', 'down', 'ready', 'disconnected', '4']
    const told = states.map((_, state) =>
      event(
        2,
        field(
          1,
          message(
            field(1, 'n1'),
            field(2, time(3, 1_767_225_600, 1)),
            field(4, field(1, 'worker-1')),
            field(5, field(1, state)),
          ),
        ),
      ),
    )
    assert.deepEqual(
      read(...told).nodes,
      states.map((State) => ({
        ID: 'n1',
        UpdatedAt: '2026-01-01T00:00:00.000000001Z',
        Description: { Hostname: 'worker-1' },
        Status: { State },
      })),
    )
  })

  it('may hold fields and kinds of objects that are not known here', () => {
    const unknown = message(
      field(99, 5),
      field(98, 'text'),
      Buffer.from([(97 % 16) * 8 + 1, ...Array<number>(8).fill(255)]),
      Buffer.from([(13 % 16) * 8 + 5, 1, 2, 3, 4]),
    )
    const told = read(unknown, event(2, message(field(2, 'a service'), unknown)))
    assert.deepEqual(told, { tasks: [], nodes: [] })
    assert.equal(read(event(2, task('ours', unknown))).tasks.length, 1)
  })

  it('are Unavailable where they are no messages', () => {
    const whole = message(event(2, task('ours')))
    assert.throws(() => watchMessageOf(whole.subarray(0, whole.length - 1), LABEL), Unavailable)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          watchMessageOf(bytes, LABEL)
        } catch (error) {
          assert(error instanceof Unavailable)
        }
      }),
    )
  })

  it('hold every number and text that was put into them', () => {
    const one = fc.tuple(
      fc.integer({ min: 1, max: 2 ** 28 }),
      fc.oneof(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.uint8Array({ maxLength: 300 })),
    )
    fc.assert(
      fc.property(fc.array(one), (fields) => {
        const bytes = message(...fields.map(([number, value]) => field(number, value)))
        const found = [...fieldsOf(bytes)].map(({ number, value }) => [
          number,
          typeof value === 'number' ? value : new Uint8Array(value),
        ])
        assert.deepEqual(found, fields)
      }),
    )
  })
})
