import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { controlChanges } from '../../../../../adapters/scheduler/swarm/control/control-changes.ts'
import { openControlWatch } from '../../../../../adapters/scheduler/swarm/control/control-watch.ts'
import { changesBy } from '../../../../../adapters/scheduler/swarm/control/watch-by.ts'
import { engineApi } from '../../../../../adapters/scheduler/swarm/engine-api.ts'
import {
  type TaskChange,
  polledChanges,
} from '../../../../../adapters/scheduler/swarm/task-changes.ts'
import type { NodeView, TaskView } from '../../../../../adapters/scheduler/swarm/views.ts'
import { Unavailable } from '../../../../../src/core/errors.ts'
import type { Observation, UnitSpec } from '../../../../../src/core/unit.ts'
import { within } from '../../../../contract/scheduler-adapter.ts'
import { type Dockerd, openDockerd, useDockerd } from '../../../../support/dockerd.ts'
import { LIMIT_MS, SwarmHarness, never } from '../swarm-harness.ts'

/** As process 1 a shell without a handler would not heed its stop signal. */
const SLEEPS = 'trap "exit 143" TERM; sleep 1000 & wait'

describe("a real manager's control socket", function () {
  this.timeout(120_000)
  const shared = useDockerd()
  let dockerd: Dockerd
  let harness: SwarmHarness
  beforeEach(async () => {
    dockerd = shared()
    harness = await SwarmHarness.open(dockerd, undefined, join(dockerd.execRoot, 'swarm'))
  })
  afterEach(async () => {
    await harness[Symbol.asyncDispose]()
  })

  const eventually = async <T>(what: string, look: () => T | undefined): Promise<T> =>
    await within(LIMIT_MS, what, () => Promise.resolve(look()))

  it('says of tasks and nodes what the Engine API says of them', async () => {
    const tasks = new Map<string, TaskView>()
    const nodes = new Map<string, NodeView>()
    const watch = await openControlWatch({
      path: join(dockerd.execRoot, 'swarm', 'control.sock'),
      installation: harness.installation,
      tell: (message) => {
        for (const { task, removed } of message.tasks) if (!removed) tasks.set(task.ID, task)
        for (const node of message.nodes) nodes.set(node.ID, node)
      },
      signal: never,
    })
    const nowhere = { deploy: { placement: { constraints: ['node.labels.no == such'] } } }
    const ended = [
      harness.script('exit 0'),
      harness.script('exit 3', { stopGraceMs: 1_500, compose: { tty: true } }),
      harness.named(`lh-${harness.installation}-a`, { command: ['longhaul-no-such-command'] }),
      harness.named(`lh-${harness.installation}-b`, { image: '127.0.0.1:1/nosuch/image:9' }),
      harness.named(`lh-${harness.installation}-c`, { compose: { volumes: ['/no/such:/x'] } }),
    ]
    const runs = harness.script(SLEEPS)
    const waits = harness.script('exit 0', { compose: nowhere })
    for (const unit of [...ended, runs, waits]) await harness.adapter.start(unit, never)
    for (const unit of ended) await harness.until(unit, 'exited')
    await harness.until(runs, 'running')
    const node = await dockerd.docker('info', '--format', '{{.Swarm.NodeID}}')
    await dockerd.docker('node', 'update', '--label-add', `said=${Date.now()}`, node)

    const engine = engineApi(dockerd.socket)
    const filters = JSON.stringify({ label: [`longhaul.installation=${harness.installation}`] })
    const said = async () => {
      const [own] = await engine.read<readonly NodeView[]>('/nodes', never)
      const all = await engine.read<readonly TaskView[]>('/tasks', never, { filters })
      return { tasks: inOrder(all.map(read)), node: own === undefined ? own : readNode(own) }
    }
    const heard = () => ({ tasks: inOrder([...tasks.values()]), node: nodes.get(node) })
    await within(LIMIT_MS, 'both have come to the same', async () =>
      isDeepStrictEqual(heard(), await said()) ? true : undefined,
    ).catch(async () => {
      // Tells where they differ.
      assert.deepEqual(heard(), await said())
    })
    assert.equal(tasks.size, 7)
    watch.end()
    assert((await watch.ended) instanceof Unavailable)
  })

  it('tells the exit code of a unit that was stopped, which no list has', async () => {
    await watching(async (told) => {
      const unit = harness.script(SLEEPS)
      await startRunning(unit)
      await harness.adapter.stop(unit.name, never)
      const seen = await eventually('its end', () =>
        told.find((one) => one.unit === unit.name && one.phase === 'exited'),
      )
      assert(seen.phase === 'exited')
      assert.deepEqual([seen.stopped, seen.exit.code], [true, 143])
    })
  })

  it('tells that a unit was removed that no node had taken', async () => {
    await watching(async (told) => {
      const nowhere = { deploy: { placement: { constraints: ['node.labels.no == such'] } } }
      const unit = harness.script('exit 0', { compose: nowhere })
      await harness.adapter.start(unit, never)
      await eventually('it waits', () => told.find((one) => one.unit === unit.name))
      await harness.adapter.stop(unit.name, never)
      const seen = await eventually('its end', () =>
        told.find((one) => one.unit === unit.name && one.phase === 'exited'),
      )
      assert(seen.phase === 'exited')
      assert.deepEqual([seen.stopped, seen.exit.reason], [true, 'removed'])
    })
  })

  it('tells again of what runs on a node that is heard of', async () => {
    const unit = harness.script(SLEEPS)
    await startRunning(unit)
    await watching(async (told) => {
      const node = await dockerd.docker('info', '--format', '{{.Swarm.NodeID}}')
      await dockerd.docker('node', 'update', '--label-add', `told=${Date.now()}`, node)
      const seen = await eventually('it is told', () => told.find((one) => one.unit === unit.name))
      assert.equal(seen.phase, 'running')
    })
  })

  it('tells of a drained node what a list tells of it', async () => {
    await watching(async (told) => {
      const unit = harness.script(SLEEPS)
      await startRunning(unit)
      const node = await dockerd.docker('info', '--format', '{{.Swarm.NodeID}}')
      try {
        await dockerd.docker('node', 'update', '--availability', 'drain', node)
        const seen = await eventually('its end', () =>
          told.find((one) => one.unit === unit.name && one.phase === 'exited'),
        )
        assert(seen.phase === 'exited')
        assert.equal(seen.exit.reason, 'interrupted')
        assert.deepEqual(await harness.until(unit, 'exited'), seen)
      } finally {
        await dockerd.docker('node', 'update', '--availability', 'active', node)
      }
    })
  })

  it('is reported on, and no fault where it is not there', async () => {
    const of = async (controlSocket: string) => {
      await using other = await SwarmHarness.open(dockerd, undefined, controlSocket)
      const results = await other.adapter.check(never)
      return results.find(({ name }) => name === 'control-socket')
    }
    assert.deepEqual(await of(join(dockerd.execRoot, 'swarm')), {
      name: 'control-socket',
      ok: true,
      message: 'tasks are heard of as they change',
    })
    const away = await of('/no/such/folder')
    assert.equal(away?.ok, true)
    assert.match(away.message, /ENOENT.*; tasks are listed every second instead/)
    assert.match(away.remedy ?? '', /control_socket/)
  })

  it('is Unavailable where something else answers, or nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-control-'))
    const silent = createServer((connection) => {
      connection.on('error', () => undefined)
    })
    silent.listen(join(folder, 'control.sock'))
    await once(silent, 'listening')
    const parts = { installation: 'i', tell: () => undefined, signal: never }
    try {
      await assert.rejects(openControlWatch({ ...parts, path: folder }), Unavailable)
      await assert.rejects(openControlWatch({ ...parts, path: dockerd.socket }), Unavailable)
      const gone = join(folder, 'none')
      await assert.rejects(openControlWatch({ ...parts, path: gone }), Unavailable)
      const aborted = { ...parts, path: folder, signal: AbortSignal.timeout(50) }
      await assert.rejects(openControlWatch(aborted), Unavailable)
    } finally {
      silent.close()
      await rm(folder, { recursive: true })
    }
  })

  const startRunning = async (unit: UnitSpec): Promise<void> => {
    await harness.adapter.start(unit, never)
    await within(LIMIT_MS, 'it runs', async () => (await harness.runs(unit)) > 0 || undefined)
    await harness.until(unit, 'running')
  }

  /** Runs the body with what a watch by the control socket has told so far. */
  const watching = async (body: (told: readonly Observation[]) => Promise<void>): Promise<void> => {
    const given = new AbortController()
    const told: Observation[] = []
    const stream = await harness.adapter.watch(given.signal)
    assert.deepEqual(
      harness.logged.filter(({ message }) => message === 'watch.by'),
      [{ message: 'watch.by', fields: { by: 'control' } }],
    )
    const reading = (async () => {
      for await (const seen of stream) told.push(seen)
    })()
    try {
      await body(told)
    } finally {
      given.abort()
      await reading
    }
  }
})

describe('a control socket that comes and goes', function () {
  this.timeout(180_000)
  // For what it needs, and whether that is here.
  useDockerd()
  let dockerd: Dockerd
  let folder: string
  before(async () => {
    dockerd = await openDockerd()
    folder = await mkdtemp(join(tmpdir(), 'longhaul-control-'))
  })
  after(async () => {
    await dockerd[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  it('is gone back to as soon as it answers, and left when dockerd ends', async () => {
    await using harness = await SwarmHarness.open(dockerd)
    const { installation } = harness
    const engine = engineApi(dockerd.socket)
    const ways: unknown[] = []
    const log = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (event === 'watch.by') ways.push(fields?.['by'])
    }
    const watch = changesBy({
      control: controlChanges(folder, engine, installation),
      listing: polledChanges(engine, installation),
      logger: { debug: log, info: log, warn: log, error: log },
      retryMs: 50,
    })
    /** Subscribes as soon as the swarm has a leader again; a unit's end is told. */
    const tells = async (): Promise<AsyncIterator<TaskChange>> => {
      const stream = await within(LIMIT_MS, 'it watches', () => watch(never).catch(() => undefined))
      const unit = harness.script('exit 3')
      await within(LIMIT_MS, 'it is started', () =>
        harness.adapter.start(unit, never).then(
          () => true,
          () => undefined,
        ),
      )
      const changes = stream[Symbol.asyncIterator]()
      for (;;) {
        const next = await changes.next()
        assert(next.done !== true)
        const states = next.value.tasks.map(({ Status }) => Status.State)
        if (states.includes('failed')) return changes
      }
    }

    const listed = await tells()
    assert.deepEqual(ways, ['listing'])
    await symlink(join(dockerd.execRoot, 'swarm', 'control.sock'), join(folder, 'control.sock'))
    await assert.rejects(async () => {
      while ((await listed.next()).done !== true);
    }, /answers again/)
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const controlled = await tells()
      assert.equal(ways.at(-1), 'control')
      await dockerd.kill(signal)
      await assert.rejects(async () => {
        while ((await controlled.next()).done !== true);
      }, Unavailable)
      await dockerd.start()
    }
    await (await tells()).return?.()
    assert.equal(ways.at(-1), 'control')
  })
})

const inOrder = (tasks: readonly TaskView[]) => tasks.toSorted((a, b) => (a.ID < b.ID ? -1 : 1))

/** As much of an Engine API's node as is read of it. */
function readNode({ ID, UpdatedAt, Description, Status }: NodeView): NodeView {
  return {
    ID,
    ...(UpdatedAt !== undefined && { UpdatedAt }),
    Description: { Hostname: Description?.Hostname ?? '' },
    Status: { State: Status?.State ?? '' },
  }
}

/** As much of an Engine API's task as is read of it. */
function read({
  ID,
  CreatedAt,
  ServiceID,
  NodeID,
  DesiredState,
  Status: { State, Timestamp, Message, Err, ContainerStatus: container },
  Spec: { ContainerSpec: spec },
}: TaskView): TaskView {
  return {
    ID,
    ...(CreatedAt !== undefined && { CreatedAt }),
    ServiceID,
    ...(NodeID !== undefined && { NodeID }),
    DesiredState,
    Status: {
      State,
      ...(Timestamp !== undefined && { Timestamp }),
      ...(Message !== undefined && { Message }),
      ...(Err !== undefined && { Err }),
      ...(container !== undefined && {
        ContainerStatus: {
          ContainerID: container.ContainerID ?? '',
          ExitCode: container.ExitCode ?? 0,
        },
      }),
    },
    Spec: {
      ContainerSpec: {
        Labels: spec?.Labels ?? {},
        ...(spec?.StopGracePeriod !== undefined && { StopGracePeriod: spec.StopGracePeriod }),
        ...(spec?.TTY === true && { TTY: true }),
      },
    },
  }
}
