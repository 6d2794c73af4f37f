import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { WireTask } from '../../src/core/wire.ts'
import { cannotBuild } from '../support/image-builder.ts'
import { requireOrSkip } from '../support/services.ts'
import { LIMIT_MS, StackSwarm, commandsOf, words } from '../support/stack.ts'
import { until } from '../support/store.ts'
import { untilNode } from '../support/swarm-nodes.ts'

const DAEMON = 'longhaul_daemon'
const PAGE = 'docs/deployment.md'
const EXAMPLE = 'examples/video/README.md'

/** Sends a command over RabbitMQ, as an application in the stack's network would, and waits for its confirm. */
const SEND = `
const { Connection } = require('/opt/longhaul/node_modules/rabbitmq-client')
const { readFileSync } = require('node:fs')
const password = readFileSync('/run/secrets/longhaul-rabbitmq-password', 'utf8')
const broker = new Connection({ hostname: 'rabbitmq', username: 'longhaul', password })
const body = JSON.parse(process.argv[1])
const publisher = broker.createPublisher({ confirm: true })
await publisher.send({ exchange: body.$name, durable: true }, JSON.stringify(body))
await publisher.close()
await broker.close()
`

describe('docker-stack.yml', function () {
  this.timeout(2 * LIMIT_MS)
  let swarm: StackSwarm
  let folder: string
  const opened = new AsyncDisposableStack()

  before(async function () {
    this.timeout(900_000)
    const why = await cannotBuild()
    requireOrSkip(this, 'images', why === undefined, why ?? '')
    folder = await mkdtemp(join(tmpdir(), 'longhaul-stack-'))
    opened.defer(() => rm(folder, { recursive: true }))
    swarm = opened.use(await StackSwarm.open())
  })

  after(async function () {
    this.timeout(LIMIT_MS)
    await opened.disposeAsync()
  })

  const docker = (...args: readonly string[]) => swarm.manager.docker(...args)

  /** Both of its streams. */
  const logOf = (container: string) => swarm.shell(`docker logs ${container} 2>&1`)

  async function task(id: string): Promise<WireTask> {
    return JSON.parse(await swarm.longhaul(DAEMON, 'task', 'show', id, '--json')) as WireTask
  }

  async function send(command: object): Promise<void> {
    const container = await swarm.container(DAEMON)
    const script = `(async () => {${SEND}})()`
    await docker('exec', container, 'node', '-e', script, JSON.stringify(command))
  }

  const inState = (id: string, state: WireTask['state']) =>
    until(
      async () => (await task(id).catch(() => undefined))?.state === state,
      `${id} is ${state}`,
      LIMIT_MS,
    )

  /** Resolves when a rolling update has gone through; one that was taken back fails. */
  async function updated(): Promise<void> {
    let state = ''
    await until(
      async () => {
        const format = '{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}'
        state = await docker('service', 'inspect', '--format', format, DAEMON)
        return state !== 'updating'
      },
      'the update is over',
      2 * LIMIT_MS,
    )
    assert.equal(state, 'completed')
  }

  it('has an image that runs alone: as nobody, without capabilities, with all that it keeps in a volume', async () => {
    const config = join(folder, 'config')
    await mkdir(join(config, 'tasks'), { recursive: true })
    await chmod(folder, 0o755)
    await writeFile(join(config, 'longhaul.yml'), stringify({ data: '/var/lib/longhaul' }))
    const service = { command: ['sh', '-c', 'echo ran'], 'x-task': { input: { type: 'object' } } }
    await writeFile(join(config, 'tasks', 'alone.yml'), stringify({ services: { alone: service } }))
    const options = ['--read-only', '--cap-drop=ALL', '--tmpfs=/tmp', '--health-interval=1s']
    const mounts = [`--volume=${config}:/etc/longhaul:ro`, '--volume=alone:/var/lib/longhaul']
    const start = async () => {
      const id = await docker('run', '--detach', ...options, ...mounts, 'longhaul')
      const health = async () => docker('inspect', '--format', '{{.State.Health.Status}}', id)
      await until(async () => (await health()) === 'healthy', 'it is healthy', LIMIT_MS)
      return id
    }
    const end = async (id: string) => {
      await docker('stop', '--time', '60', id)
      const format = '{{.State.ExitCode}} {{.Config.User}}'
      assert.equal(await docker('inspect', '--format', format, id), '0 1000:1000')
      await docker('rm', id)
    }
    const first = await start()
    await docker('exec', first, 'longhaul', 'task', 'run', 'alone', '--id', '1', '--wait')
    await end(first)
    const second = await start()
    const shown = await docker('exec', second, 'longhaul', 'task', 'logs', 'alone/1')
    assert.equal(shown, 'ran')
    await end(second)
    await docker('volume', 'rm', 'alone')
  })

  it('is deployed on a fresh swarm by the commands of its page, and runs a first task', async () => {
    const [deploy, first] = await commandsOf(PAGE, 'In four commands')
    // The image is built already, on what stands in for a registry's.
    assert.match(deploy!, /^docker build -t longhaul \.\n/)
    await swarm.shell(deploy!.replace(/.*\n/, ''))
    await swarm.ready('longhaul')
    assert.equal((await swarm.containers(DAEMON)).length, 2)
    assert.match(await swarm.shell(first!), /^hello, world$/m)
  })

  it('leaves secrets as they are where it is prepared again', async () => {
    const secrets = () => docker('secret', 'ls', '--format', '{{.ID}} {{.Name}}')
    const before = await secrets()
    assert.match(await swarm.shell('sh deploy/stack/prepare.sh'), /^(?:secret .*: is there\n){3}/)
    assert.equal(await secrets(), before)
  })

  it('runs its daemons without capabilities, on a root file system that nobody can write to', async () => {
    const format =
      '{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} {{.HostConfig.Privileged}}'
    assert.equal(
      await docker('inspect', '--format', format, await swarm.container(DAEMON)),
      'true [ALL] [] false',
    )
  })

  it('hears of its containers by the managers’ control socket', async () => {
    await until(
      async () => /"by":"control".*"watch\.by"/.test(await logOf(await swarm.leader(DAEMON))),
      'the leader watches by the control socket',
      LIMIT_MS,
    )
  })

  it('shows no password in what docker shows of it', async () => {
    const password = await docker(
      ...['exec', await swarm.container(DAEMON), 'cat', '/run/secrets/longhaul-rabbitmq-password'],
    )
    assert.equal(password.length, 48)
    for (const service of ['daemon', 'rabbitmq', 'postgres']) {
      const container = await swarm.container(`longhaul_${service}`)
      assert.ok(!(await docker('inspect', container)).includes(password))
      assert.ok(!(await logOf(container)).includes(password))
    }
  })

  it('is backed up while it runs', async () => {
    const [backUp] = await commandsOf(PAGE, 'Back up')
    await swarm.shell(backUp!, folder)
    assert.ok((await stat(join(folder, 'longhaul.dump'))).size > 10_000)
  })

  it('finishes a task although the daemon, the broker, the database and its node are killed meanwhile', async () => {
    await send({ $name: 'hello/say-hello', $version: 1, helloId: 'kill', who: 'bus', seconds: 20 })
    await inState('hello/kill', 'running')
    assert.equal((await task('hello/kill')).attempts[0]?.node, swarm.worker.name)
    await swarm.worker.engine.powerOff()
    const leader = await swarm.leader(DAEMON)
    await docker('kill', '--signal', 'KILL', leader)
    await docker('kill', '--signal', 'KILL', await swarm.container('longhaul_rabbitmq'))
    await docker('kill', '--signal', 'KILL', await swarm.container('longhaul_postgres'))
    await until(
      async () => !(await swarm.containers(DAEMON)).includes(leader),
      'the leader is gone',
      LIMIT_MS,
    )
    await swarm.ready('longhaul')
    await inState('hello/kill', 'succeeded')
    const { attempts } = await task('hello/kill')
    assert.deepEqual(
      attempts.map(({ number, exit, node }) => [number, exit?.reason, node]),
      [
        [1, 'node-lost', swarm.worker.name],
        [2, 'completed', swarm.manager.name],
      ],
    )
    await swarm.worker.engine.start()
    await untilNode(swarm.manager, swarm.worker.name, '{{.Status.State}}', 'ready')
    // And it takes commands from the bus again.
    await send({ $name: 'hello/say-hello', $version: 1, helloId: 'after', who: 'b', seconds: 0 })
    await inState('hello/after', 'succeeded')
  })

  it('stops a daemon well within the time that it is given, with exit code 0', async () => {
    const container = await swarm.container(DAEMON)
    const begun = Date.now()
    await docker('stop', '--time', '60', container)
    assert.ok(Date.now() - begun < 20_000, `${Date.now() - begun} ms`)
    assert.equal(await docker('inspect', '--format', '{{.State.ExitCode}}', container), '0')
    await swarm.ready('longhaul')
  })

  it('takes another task type when it is deployed again: one daemon after the other, with the tasks going on', async () => {
    const before = await swarm.containers(DAEMON)
    await send({ $name: 'hello/say-hello', $version: 1, helloId: 'roll', who: 'bus', seconds: 30 })
    await inState('hello/roll', 'running')
    const [deploy] = await commandsOf(EXAMPLE, 'On a swarm')
    const line = deploy!.trim().split('\n').at(-1)!
    assert.match(line, /^docker stack deploy /)
    await swarm.shell(`LONGHAUL_FILES=2 ${line}`)
    await updated()
    await swarm.ready('longhaul')
    const now = await swarm.containers(DAEMON)
    assert.ok(now.every((container) => !before.includes(container)))
    const format = '{{range .Spec.TaskTemplate.ContainerSpec.Configs}}{{.ConfigName}} {{end}}'
    const names = words(await docker('service', 'inspect', '--format', format, DAEMON))
    const changed = ['longhaul-file-2', 'longhaul-task-encode-video-2', 'longhaul-task-hello-2']
    assert.deepEqual([...names].sort(), changed)
    await inState('hello/roll', 'succeeded')
    assert.equal((await task('hello/roll')).attempts.length, 1)
  })

  it('has the example’s clip encoded in a container although the leading daemon and its node are killed, and its application is told', async () => {
    // The folder of the clips is on both nodes, as a volume that is shared would be.
    const label = ['node', 'update', '--label-add', 'longhaul.data=true']
    await docker(...label, swarm.worker.name)
    const volume = await docker('volume', 'inspect', '--format', '{{.Mountpoint}}', 'video-media')
    const shared = ['--opt=type=none', '--opt=o=bind', `--opt=device=${volume}`]
    await swarm.worker.docker('volume', 'create', ...shared, 'video-media')

    const said = async () => logOf(await swarm.container('longhaul_application'))
    const says = (words: RegExp) =>
      until(async () => words.test(await said()), `it says ${words.source}`, LIMIT_MS)
    await says(/is ready/)
    const [, upload] = await commandsOf(EXAMPLE, 'On a swarm')
    await swarm.shell(upload!)
    await inState('encode-video/clip', 'running')
    assert.equal((await task('encode-video/clip')).attempts[0]?.node, swarm.worker.name)
    await docker('kill', '--signal', 'KILL', await swarm.leader(DAEMON))
    await swarm.worker.engine.powerOff()
    await says(/^clip +ENCODED as clip\.webm, at attempt 2$/m)
    const probe = ['ffprobe', '-v', 'error', '-show_entries', 'format=format_name,duration']
    const application = await swarm.container('longhaul_application')
    const shown = await docker('exec', application, ...probe, '/srv/media/clip.webm')
    assert.match(shown, /^format_name=matroska,webm\nduration=20\./m)
    await swarm.ready('longhaul')
  })

  it('knows after a restore what it knew at the backup, and takes commands', async () => {
    const [restore] = await commandsOf(PAGE, 'Restore')
    await swarm.shell(restore!, folder)
    await swarm.ready('longhaul')
    assert.equal((await task('hello/1')).state, 'succeeded')
    await assert.rejects(task('hello/roll'))
    await send({ $name: 'hello/say-hello', $version: 1, helloId: 'roll', who: 'b', seconds: 0 })
    await inState('hello/roll', 'succeeded')
  })

  it('is taken away by the commands of its page', async () => {
    const [takeAway] = await commandsOf(PAGE, 'Take it away')
    const [services, stack, ...rest] = takeAway!.trim().split('\n')
    await swarm.shell(`${services!}\n${stack!}`)
    await until(async () => (await docker('ps', '-aq')) === '', 'no container is left', LIMIT_MS)
    await swarm.shell(rest.join('\n'))
    assert.equal(await docker('service', 'ls', '-q'), '')
    assert.equal(await docker('secret', 'ls', '-q'), '')
  })
})
