import assert from 'node:assert/strict'
import { openSwarmScheduler } from '../../../../adapters/scheduler/swarm/open.ts'
import type { Observation } from '../../../../src/core/unit.ts'
import { unitNamed, within } from '../../../contract/scheduler-adapter.ts'
import { newerEngine } from './newer-engine.ts'
import { LIMIT_MS, never } from './swarm-harness.ts'

const ignore = () => undefined
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

describe('a node that is back, where tasks are watched by listing', () => {
  it('is asked for anew before a task that was placed on it since is called unreachable', async () => {
    await using engine = await newerEngine()
    await using adapter = openSwarmScheduler({
      socket: engine.socket,
      installation: 'test',
      images: { requireDigest: false },
      logger,
    })
    const watching = new AbortController()
    const told: Observation[] = []
    const stream = await adapter.watch(watching.signal)
    const reading = (async () => {
      for await (const seen of stream) told.push(seen)
    })()
    const isTold = (name: string, phase?: Observation['phase']) =>
      within(LIMIT_MS, `${name} is told of`, () =>
        Promise.resolve(
          told.find((one) => one.unit === name && (phase === undefined || one.phase === phase)),
        ),
      )
    await adapter.start(unitNamed('lh-before', { image: 'i:1' }), never)
    await isTold('lh-before', 'running')
    engine.tellNode('down')
    engine.tell('lh-before', { State: 'running', DesiredState: 'shutdown' })
    await isTold('lh-before', 'unreachable')

    engine.tellNode('ready')
    engine.tell('lh-before', { State: 'shutdown', DesiredState: 'shutdown' })
    await isTold('lh-before', 'exited')
    await adapter.start(unitNamed('lh-after', { image: 'i:1' }), never)
    assert.equal((await isTold('lh-after')).phase, 'running')
    watching.abort()
    await reading
  })
})
