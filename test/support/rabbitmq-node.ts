import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect as tcp } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './store.ts'
import { freePorts } from './ports.ts'

/** Comes with Erlang. */
const PORT_MAPPER = 'epmd'

/** A RabbitMQ for tests: one for the whole run, whatever a test did to it. */
export interface Broker {
  /** With user and password. */
  readonly url: string
  /** What only one's own can be made to suffer. */
  readonly node?: BrokerNode
}

interface BrokerNode {
  readonly port: number
  rabbitmqctl(...command: readonly string[]): Promise<string>
  /** kill -9. */
  kill(): Promise<void>
  /** Resolves when it answers. */
  start(): Promise<void>
}

/** The broker of `LONGHAUL_TEST_AMQP_URL`, else one of this machine's binaries, else none. */
export async function openBroker(): Promise<(Broker & AsyncDisposable) | undefined> {
  const url = process.env['LONGHAUL_TEST_AMQP_URL']
  if (url !== undefined) return { url, [Symbol.asyncDispose]: () => Promise.resolve() }
  // Debian's scripts on the PATH change to a user and a home of their own; those behind them do not.
  const folder = ['/usr/lib/rabbitmq/bin', ...(process.env['PATH'] ?? '').split(delimiter)].find(
    (path) => ['rabbitmq-server', 'rabbitmqctl'].every((name) => existsSync(join(path, name))),
  )
  return folder === undefined ? undefined : startNode(folder)
}

async function startNode(folder: string): Promise<Broker & AsyncDisposable> {
  const home = await mkdtemp(join(tmpdir(), 'longhaul-rabbitmq-'))
  const [port, distribution, mapper] = await freePorts(3)
  const name = `longhaul-${process.pid}@localhost`
  const pidFile = join(home, 'pid')
  const env = {
    ...process.env,
    HOME: home,
    RABBITMQ_NODENAME: name,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(home, 'db'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_PID_FILE: pidFile,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'plugins'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'none'),
    RABBITMQ_CONFIG_FILE: join(home, 'none'),
    // Erlang's port mapper stays behind when a node ends: so it has one of its own.
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
  const epmd = spawn(PORT_MAPPER, ['-port', String(mapper), '-address', '127.0.0.1'], {
    stdio: 'ignore',
  })
  epmd.on('error', () => undefined) // not on the PATH: then the node starts one itself
  let server: ChildProcess | undefined
  const killNode = () => {
    if (server?.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGKILL')
  }
  const onExit = () => {
    killNode()
    epmd.kill('SIGKILL')
  }
  process.once('exit', onExit)

  const node: BrokerNode = {
    port: port!,
    async rabbitmqctl(...command) {
      const run = promisify(execFile)
      const { stdout } = await run(join(folder, 'rabbitmqctl'), ['-q', '-n', name, ...command], {
        env,
      })
      return stdout
    },
    async kill() {
      const pid = Number(await readFile(pidFile, 'utf8'))
      process.kill(pid, 'SIGKILL')
      await until(() => server?.exitCode !== null || server.signalCode !== null, 'it has ended')
    },
    async start() {
      server = spawn(join(folder, 'rabbitmq-server'), [], { env, stdio: 'ignore', detached: true })
      server.unref()
      await until(() => answers(port!), 'RabbitMQ answers', 60_000)
    },
  }
  await node.start()
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    node,
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit)
      onExit()
      await until(async () => !(await answers(port!)), 'RabbitMQ has ended', 10_000)
      await rm(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Whether it speaks: the port is open some time before. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcp({ port, host: '127.0.0.1' })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('connect', () => socket.write('AMQP\0\0\x09\x01'))
    socket.on('data', () => {
      end(true)
    })
    socket.on('error', () => {
      end(false)
    })
    socket.on('close', () => {
      end(false)
    })
  })
}
