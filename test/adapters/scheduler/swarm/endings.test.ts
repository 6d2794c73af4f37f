import assert from 'node:assert/strict'
import { Endings } from '../../../../adapters/scheduler/swarm/endings.ts'
import { engineApi } from '../../../../adapters/scheduler/swarm/engine-api.ts'
import { Nodes } from '../../../../adapters/scheduler/swarm/nodes.ts'
import type { SeenUnit } from '../../../../adapters/scheduler/swarm/observe.ts'
import { Unavailable } from '../../../../src/core/errors.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'
import { QuietLogger, until } from '../../../support/store.ts'
import { fakeEngine, type Handler } from './fake-engine.ts'
import { never } from './swarm-harness.ts'

const { name: unit, identity } = unitNamed('lh-1')
const ENDED: SeenUnit = {
  observation: { unit, identity, phase: 'exited', exit: { reason: 'failed' }, stopped: false },
  task: {
    ID: 't1',
    ServiceID: 's1',
    DesiredState: 'shutdown',
    Spec: { ContainerSpec: {} },
    Status: { State: 'failed', ContainerStatus: { ContainerID: 'c1', ExitCode: 1 } },
  },
  logTailBytes: 100,
  tasks: 1,
}

/** One frame of stdout, as engines send them (api/types/container/attach). */
const says =
  (text: string): Handler =>
  (_, response) => {
    const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length])
    response.writeHead(200).end(Buffer.concat([head, Buffer.from(text)]))
  }

describe('the ends of logs of a swarm', () => {
  it('are asked for again where an ask was given up, and nothing is told without them', async () => {
    await using engine = await fakeEngine(() => undefined)
    const api = engineApi(engine.socket)
    const logger = new QuietLogger()
    const endings = new Endings({ engine: api, nodes: new Nodes(api), logger })
    const left = new AbortController()
    const told = assert.rejects(endings.complete([ENDED], left.signal), Unavailable)
    await until(() => engine.asked.length === 1, 'it is asked for')
    left.abort()
    await told
    engine.handler = says('the end\n')
    const [again] = await endings.complete([ENDED], never)
    assert.equal(again?.phase === 'exited' ? again.exit.logTail : undefined, 'the end\n')
    await endings.complete([ENDED], never)
    assert.equal(engine.asked.length, 2, 'what is known is not asked for again')
  })
})
