import assert from 'node:assert/strict'
import { requireOrSkip } from '../../../../support/services.ts'
import { cannotRunEngines } from '../../../../support/engine.ts'
import { until } from '../../../../support/store.ts'
import { LIMIT_MS, SwarmNodes, join, untilNode } from '../../../../support/swarm-nodes.ts'
import type { SwarmNode } from '../../../../support/swarm-nodes.ts'
import { Story } from './story.ts'

const STATE = '{{.Status.State}}'
/** A node that does not answer is waited for. */
const WAIT = { on_node_lost: { action: 'wait' } }

for (const by of ['control', 'listing'] as const)
  describe(`a worker of a real swarm, watched by ${by}`, function () {
    this.timeout(2 * LIMIT_MS)
    let swarm: SwarmNodes
    let manager: SwarmNode

    before(async function () {
      const why = await cannotRunEngines()
      requireOrSkip(this, 'Docker Swarm', why === undefined, why ?? '')
      swarm = await SwarmNodes.open({ managers: 1, workers: 2, heartbeat: '1s' })
      manager = swarm.node('m1')
    })
    after(async () => {
      await swarm[Symbol.asyncDispose]()
    })

    /** No unit is left in the swarm, and no container of one that runs on any node. */
    const nothingIsLeft = async (): Promise<void> => {
      const left = async () => [
        await manager.docker('service', 'ls', '-q'),
        ...(await Promise.all(swarm.nodes.map((node) => node.docker('ps', '-q')))),
      ]
      await until(
        async () => (await left()).every((ids) => ids === ''),
        'nothing is left',
        LIMIT_MS,
      )
    }
    const finished = async (story: Story, attempt: number): Promise<void> => {
      await story.end(attempt)
      const { outcome } = await story.ended()
      assert.equal(outcome?.state, 'succeeded')
      await story.assertNoneRanTwice()
    }

    it('that loses its power is given up after the grace, and the task goes on elsewhere', async () => {
      await using story = await Story.begin(manager, by)
      const lost = swarm.node(await story.running(1))
      await lost.engine.powerOff()
      assert.notEqual(await story.running(2), lost.name)
      assert.deepEqual(await story.reasons(), ['node-lost', undefined])
      await finished(story, 2)
      await lost.engine.start()
      await untilNode(manager, lost.name, STATE, 'ready')
      await nothingIsLeft()
      assert.deepEqual(await story.marks(), ['run 1', 'run 2', 'end 2'])
    })

    it('that is cut off beyond the grace has its copy killed when it returns', async () => {
      await using story = await Story.begin(manager, by)
      const lost = swarm.node(await story.running(1))
      await lost.cutOff()
      assert.notEqual(await story.running(2), lost.name)
      assert(!(await story.marks()).includes('stopped 1'), 'the old copy still runs')
      await lost.plugIn()
      await story.marked('stopped 1')
      await finished(story, 2)
      await nothingIsLeft()
      assert.deepEqual(await story.reasons(), ['node-lost', 'completed'])
      if (by === 'control') await story.endedLate(1, 143)
    })

    it('that is cut off beyond the grace tells its late result, which decides nothing', async () => {
      await using story = await Story.begin(manager, by)
      const lost = swarm.node(await story.running(1))
      await lost.cutOff()
      await story.end(1, 7)
      await story.marked('end 1')
      await story.running(2)
      await lost.plugIn()
      // Told for a fifth of a second only: whoever lists may miss it.
      if (by === 'control') await story.endedLate(1, 7)
      await finished(story, 2)
      await nothingIsLeft()
      assert.deepEqual(await story.reasons(), ['node-lost', 'completed'])
    })

    it('that returns within the grace has killed its copy before the next attempt begins', async () => {
      await using story = await Story.begin(manager, by, WAIT)
      const lost = swarm.node(await story.running(1))
      await lost.cutOff()
      await untilNode(manager, lost.name, STATE, 'down')
      await lost.plugIn()
      await story.running(2)
      assert.deepEqual(await story.marks(), ['run 1', 'stopped 1', 'run 2'])
      assert.deepEqual(await story.reasons(), ['interrupted', undefined])
      await finished(story, 2)
      await nothingIsLeft()
    })

    it('that returns within the grace delivers how its task has ended meanwhile', async () => {
      await using story = await Story.begin(manager, by, WAIT)
      const lost = swarm.node(await story.running(1))
      await lost.cutOff()
      await untilNode(manager, lost.name, STATE, 'down')
      await story.end(1)
      await story.marked('end 1')
      assert.equal((await story.task()).state, 'running')
      await lost.plugIn()
      assert.equal((await story.ended()).outcome?.state, 'succeeded')
      assert.deepEqual(await story.marks(), ['run 1', 'end 1'])
      await nothingIsLeft()
    })

    it('that is drained interrupts its task, which goes on elsewhere', async () => {
      await using story = await Story.begin(manager, by)
      const drained = await story.running(1)
      await manager.docker('node', 'update', '--availability', 'drain', drained)
      assert.notEqual(await story.running(2), drained)
      assert.deepEqual(await story.marks(), ['run 1', 'stopped 1', 'run 2'])
      assert.deepEqual(await story.reasons(), ['interrupted', undefined])
      await manager.docker('node', 'update', '--availability', 'active', drained)
      await finished(story, 2)
      await nothingIsLeft()
    })

    it('whose dockerd is stopped in order interrupts its task, whatever code stands beside that', async () => {
      await using story = await Story.begin(manager, by)
      const { engine } = swarm.node(await story.running(1))
      await engine.kill('SIGTERM')
      await story.marked('stopped 1')
      await engine.start()
      await story.running(2)
      const [first] = await story.reasons()
      assert(first === 'interrupted' || first === 'node-lost', first)
      await finished(story, 2)
      await nothingIsLeft()
    })

    it('whose dockerd is killed and comes back has killed its copy before the next attempt begins', async () => {
      await using story = await Story.begin(manager, by, WAIT)
      const { engine } = swarm.node(await story.running(1))
      await engine.kill('SIGKILL')
      await engine.start()
      await story.running(2)
      assert.deepEqual(await story.marks(), ['run 1', 'stopped 1', 'run 2'])
      await finished(story, 2)
      await nothingIsLeft()
    })

    it('that is removed from the swarm is lost at once', async () => {
      await using story = await Story.begin(manager, by, WAIT)
      const lost = swarm.node(await story.running(1))
      await lost.cutOff()
      await untilNode(manager, lost.name, STATE, 'down')
      await manager.docker('node', 'rm', '--force', lost.name)
      await story.running(2)
      assert.deepEqual(await story.reasons(), ['node-lost', undefined])
      await finished(story, 2)
      await lost.plugIn()
      // The swarm has no say over it any more: its copy runs until somebody tells the node itself.
      await lost.docker('swarm', 'leave', '--force')
      await nothingIsLeft()
      await join(lost, manager, 'worker')
    })

    it('that leaves the swarm has ended its copy, and the task goes on elsewhere', async () => {
      await using story = await Story.begin(manager, by)
      const left = swarm.node(await story.running(1))
      // It kills what it runs, and is not there any more to tell.
      await left.docker('swarm', 'leave')
      assert.equal(await left.docker('ps', '-q'), '')
      await story.running(2)
      assert.deepEqual(await story.reasons(), ['node-lost', undefined])
      await finished(story, 2)
      await nothingIsLeft()
      await manager.docker('node', 'rm', '--force', left.name)
      await join(left, manager, 'worker')
    })
  })
