import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WireTask } from '../../../../../src/core/wire.ts'
import { Installation, shell } from '../../../../support/daemon.ts'
import { until } from '../../../../support/store.ts'
import { LIMIT_MS, type SwarmNode } from '../../../../support/swarm-nodes.ts'
import { TASK_IMAGE } from '../../../../support/task-image.ts'

const AFTER = '4s'

/**
 * Writes down that it runs, says so again and again, ends with the code that it is given in the file
 * `end<attempt>`, and says by its code that it was stopped.
 */
const PROGRAM = `
mkdir -p "/marks/$LONGHAUL_TASK_ID" && cd "/marks/$LONGHAUL_TASK_ID" || exit
echo "run $LONGHAUL_ATTEMPT" >>marks
trap 'echo "stopped $LONGHAUL_ATTEMPT" >>marks; exit 143' TERM
until [ -e "end$LONGHAUL_ATTEMPT" ]; do
  : >"alive$LONGHAUL_ATTEMPT"
  sleep 0.1
done
echo "end $LONGHAUL_ATTEMPT" >>marks
exit "$(cat "end$LONGHAUL_ATTEMPT")"
`

/**
 * A daemon on a manager's socket, and tasks, whose containers write down what they do. What is said of
 * none of them by its id is said of the task `work/1`.
 */
export class Story implements AsyncDisposable {
  readonly daemon: Installation
  readonly #marks: string

  private constructor(daemon: Installation, marks: string) {
    this.daemon = daemon
    this.#marks = marks
  }

  /** The task `work/1`, running its first attempt. `constraint` names the nodes that it may run on. */
  static async begin(
    manager: SwarmNode,
    by: 'control' | 'listing',
    task: Readonly<Record<string, unknown>> = {},
  ): Promise<Story> {
    const { socket, execRoot } = manager.engine
    const daemon = await Installation.make(
      {},
      {
        scheduler: {
          kind: 'swarm',
          socket,
          ...(by === 'control' && { control_socket: join(execRoot, 'swarm') }),
        },
      },
    )
    const marks = join(daemon.folder, 'marks')
    await mkdir(marks)
    await chmod(marks, 0o777)
    await daemon.writeType('work', {
      image: TASK_IMAGE,
      command: shell(PROGRAM),
      stop_grace_period: '5s',
      volumes: [`${marks}:/marks`],
      deploy: { placement: { constraints: ['node.role == worker'] } },
      'x-task': {
        on_node_lost: { action: 'retry', after: AFTER },
        keep: { failed_unit: '0s' },
        retry: { max_attempts: 3, backoff: { initial: '100ms', jitter: 'none' } },
        ...task,
      },
    })
    const story = new Story(daemon, marks)
    try {
      assert.equal(await daemon.start(), 'started')
      await daemon.run('work', '1')
      await story.running(1)
    } catch (error) {
      await story[Symbol.asyncDispose]()
      throw error
    }
    return story
  }

  /** Lets an attempt's program end with this code, also before it has begun. */
  async end(attempt: number, code = 0, id = '1'): Promise<void> {
    const folder = join(this.#marks, 'work', id)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, `end${attempt}`), String(code))
  }

  /** What the containers have written down: `run 1`, `stopped 1`, `run 2` … */
  async marks(id = '1'): Promise<readonly string[]> {
    const file = join(this.#marks, 'work', id, 'marks')
    return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  }

  async marked(line: string): Promise<void> {
    await until(async () => (await this.marks()).includes(line), line, LIMIT_MS)
  }

  task(): Promise<WireTask> {
    return this.daemon.task('work/1')
  }

  /** Resolves when the task is this. */
  async when(is: (task: WireTask) => boolean, what: string): Promise<WireTask> {
    return await this.daemon.when('work/1', is, what, LIMIT_MS)
  }

  /** Resolves when the program of an attempt and the daemon both say that it runs; gives its node. */
  async running(attempt: number): Promise<string> {
    await this.marked(`run ${attempt}`)
    const task = await this.when(
      ({ attempts, state }) => attempts.length === attempt && state === 'running',
      `attempt ${attempt} is running`,
    )
    const node = task.attempts[attempt - 1]?.node
    assert(node !== undefined, 'its node is known')
    return node
  }

  ended(id = '1'): Promise<WireTask> {
    return this.daemon.ended(`work/${id}`, LIMIT_MS)
  }

  /** Resolves when the daemon has been told so by its manager: it lists in vain. */
  async refused(): Promise<void> {
    const from = this.daemon.log.length
    const is = ({ msg }: { readonly msg: string }) =>
      msg === 'watcher.reconnecting' || msg === 'start.failed'
    await this.daemon.logged(is, 'its manager refuses', { from, limitMs: LIMIT_MS })
  }

  /** The reasons why the attempts ended, in order. */
  async reasons(): Promise<readonly (string | undefined)[]> {
    return (await this.task()).attempts.map(({ exit }) => exit?.reason)
  }

  /** Resolves when it is known how a copy ended that had been given up as lost. */
  async endedLate(attempt: number, code: number): Promise<void> {
    await this.when(
      ({ attempts }) => attempts[attempt - 1]?.lateExit?.code === code,
      `attempt ${attempt} is heard of late`,
    )
  }

  /** No attempt's program has begun twice. */
  async assertNoneRanTwice(): Promise<void> {
    const runs = (await this.marks()).filter((line) => line.startsWith('run '))
    assert.deepEqual(runs, [...new Set(runs)], 'no attempt ran twice')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
  }
}
