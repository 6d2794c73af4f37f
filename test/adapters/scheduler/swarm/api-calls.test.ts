import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type Socket, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { examineSwarm } from '../../../../adapters/scheduler/swarm/check-open.ts'
import type { Service } from '../../../../src/core/task-type.ts'
import { useDockerd } from '../../../support/dockerd.ts'
import { until } from '../../../support/store.ts'
import { SwarmHarness, never } from './swarm-harness.ts'

const PAGE = join(import.meta.dirname, '../../../../docs/deployment.md')

/** A call of the Engine API as the page has it: `GET /tasks/{id}/logs`. */
interface Documented {
  readonly call: string
  readonly method: string
  readonly path: RegExp
}

interface Recorder extends AsyncDisposable {
  readonly socket: string
  readonly calls: Set<string>
  readonly others: Set<string>
}

/**
 * A narrowed socket as the page describes it: what is not documented does not get through. One request a
 * connection, which is how the adapter asks; its bytes are passed on as they are.
 */
async function narrowed(target: string, documented: readonly Documented[]): Promise<Recorder> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-narrow-'))
  const socket = join(folder, 'docker.sock')
  const calls = new Set<string>()
  const others = new Set<string>()
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    client.once('data', (begin) => {
      const [method = '', path = ''] = begin.toString('latin1').replace(/\?.*/s, '').split(' ')
      const known = documented.find((one) => one.method === method && one.path.test(path))
      if (known === undefined) {
        others.add(`${method} ${path}`)
        client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
        return
      }
      calls.add(known.call)
      const engine = connect(target)
      engine.on('error', () => client.destroy())
      client.on('close', () => engine.destroy())
      engine.write(begin)
      client.pipe(engine)
      engine.pipe(client)
    })
  })
  server.listen(socket)
  await once(server, 'listening')
  return {
    socket,
    calls,
    others,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const client of clients) client.destroy()
      await rm(folder, { recursive: true })
    },
  }
}

async function documentedCalls(): Promise<readonly Documented[]> {
  const page = await readFile(PAGE, 'utf8')
  return [...page.matchAll(/^\| `(GET|POST|DELETE) (\/\S*)`/gm)].map(([, method, path]) => ({
    call: `${method!} ${path!}`,
    method: method!,
    // The name of an image has slashes in it.
    path: new RegExp(`^${path!.replace('{image}', '.+').replace(/\{\w+\}/, '[^/]+')}$`),
  }))
}

/** The patterns that the page gives to a proxy, which asks for the whole path to fit one. */
async function allowedByProxy(): Promise<(method: string, path: string) => boolean> {
  const page = await readFile(PAGE, 'utf8')
  const patterns = [...page.matchAll(/'-allow(GET|POST|DELETE)=([^']+)'/g)].map(
    ([, method, pattern]) => [method, new RegExp(`^(?:${pattern!})$`)] as const,
  )
  return (method, path) => patterns.some(([its, fits]) => its === method && fits.test(path))
}

describe('the Engine API calls of docs/deployment.md', function () {
  this.timeout(120_000)
  const dockerd = useDockerd()

  it('are those that a daemon and doctor make, and no others', async () => {
    const documented = await documentedCalls()
    const docker = (...args: readonly string[]) => dockerd().docker(...args)
    await using recorder = await narrowed(dockerd().socket, documented)
    await using harness = await SwarmHarness.open({ ...dockerd(), socket: recorder.socket })
    const { adapter } = harness

    await using made = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'longhaul-grants-'))
    made.defer(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'data'), 'data')
    const name = `longhaul-calls-${process.pid}`
    for (const kind of ['secret', 'config']) {
      await docker(kind, 'create', name, join(folder, 'data'))
      made.defer(async () => {
        await docker(kind, 'rm', name)
      })
    }
    await docker('network', 'create', '--driver', 'overlay', name)
    made.defer(async () => {
      // Its last container may still be leaving it.
      const remove = () => docker('network', 'rm', name).then(Boolean, () => false)
      await until(remove, 'the network is gone', 30_000)
    })
    const compose: Service['compose'] = { secrets: [name], configs: [name], networks: [name] }

    const examined = await examineSwarm({ socket: recorder.socket }).check(never)
    for (const { ok, name: what, message } of [...(await adapter.check(never)), ...examined]) {
      assert.ok(ok, `${what}: ${message}`)
    }
    const watching = new AbortController()
    const watched = (async () => {
      for await (const _ of await adapter.watch(watching.signal));
    })()
    const granted = harness.script('echo granted; exit 0')
    const unit = {
      ...granted,
      service: { ...granted.service, compose: { ...granted.service.compose, ...compose } },
    }
    await adapter.resolve(unit, never)
    await adapter.start(unit, never)
    await adapter.start(unit, never)
    assert.equal((await harness.exitOf(unit)).reason, 'completed')
    for await (const _ of adapter.logs(unit.name, { follow: true, signal: never }));

    const killed = harness.script('exit 137')
    await adapter.start(killed, never)
    assert.equal((await harness.exitOf(killed)).reason, 'killed')

    const sleeping = harness.unit({ does: 'sleep' })
    await adapter.start(sleeping, never)
    await harness.until(sleeping, 'running')
    await adapter.stop(sleeping.name, never)
    for (const one of [unit, killed, sleeping]) await adapter.remove(one.name, never)
    watching.abort()
    await watched

    assert.deepEqual([...recorder.others], [])
    assert.deepEqual(
      documented.map(({ call }) => call).filter((call) => !recorder.calls.has(call)),
      [],
      'documented, and never made',
    )
  })

  it('are what the patterns for a proxy let through', async () => {
    const allowed = await allowedByProxy()
    const lets = (call: string): boolean => {
      const [method, path] = call.split(' ')
      return allowed(method!, path!)
    }
    for (const { call } of await documentedCalls()) {
      const made = call.replace('{image}', 'registry.example.com:5000/team/encoder:1.4')
      assert.ok(lets(made.replace(/\{\w+\}/, 'lh-encode-video-0a1b2c')), call)
    }
    for (const call of [
      'POST /containers/create',
      'POST /containers/0a1b/exec',
      'GET /containers/json',
      'GET /containers/0a1b/archive',
      'POST /services/lh-0a1b/update',
      'POST /secrets/create',
      'DELETE /secrets/0a1b',
      'POST /images/create',
      'POST /swarm/leave',
      'POST /nodes/0a1b/update',
      'GET /swarm/unlockkey',
    ]) {
      assert.ok(!lets(call), call)
    }
  })
})
