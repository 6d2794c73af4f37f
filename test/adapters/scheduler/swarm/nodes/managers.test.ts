import assert from 'node:assert/strict'
import { cannotRunEngines } from '../../../../support/engine.ts'
import { requireOrSkip } from '../../../../support/services.ts'
import { until } from '../../../../support/store.ts'
import { LIMIT_MS, SwarmNodes, untilNode } from '../../../../support/swarm-nodes.ts'
import type { SwarmNode } from '../../../../support/swarm-nodes.ts'
import { Story } from './story.ts'

const FAILED = 'label=longhaul.task-id=work/failed'
const LEADS = '{{.ManagerStatus.Leader}}'

for (const by of ['control', 'listing'] as const)
  describe(`three managers of a real swarm, watched by ${by}`, function () {
    this.timeout(3 * LIMIT_MS)
    let swarm: SwarmNodes

    before(async function () {
      const why = await cannotRunEngines()
      requireOrSkip(this, 'Docker Swarm', why === undefined, why ?? '')
      swarm = await SwarmNodes.open({ managers: 3, workers: 1, heartbeat: '5s' })
    })
    after(async () => {
      await swarm[Symbol.asyncDispose]()
    })

    /** A manager that leads, once one does, by its own word. */
    const leader = async (among: readonly SwarmNode[] = swarm.managers): Promise<SwarmNode> => {
      let found: SwarmNode | undefined
      await until(
        async () => {
          for (const node of among) {
            const leads = await node
              .docker('node', 'inspect', '--format', LEADS, 'self')
              .catch(() => '')
            if (leads === 'true') found = node
          }
          return found !== undefined
        },
        'a manager leads',
        LIMIT_MS,
      )
      return found!
    }
    const others = (than: SwarmNode) => swarm.managers.filter((node) => node !== than)
    const wellAgain = async (): Promise<void> => {
      const leads = await leader()
      for (const { name } of swarm.nodes) {
        await untilNode(leads, name, '{{.Status.State}}', 'ready')
      }
      for (const { name } of swarm.managers) {
        await untilNode(leads, name, '{{.ManagerStatus.Reachability}}', 'reachable')
      }
    }
    const nothingIsLeft = async (): Promise<void> => {
      const left = async () => [
        await (await leader()).docker('service', 'ls', '-q'),
        ...(await Promise.all(swarm.nodes.map((node) => node.docker('ps', '-q')))),
      ]
      await until(
        async () => (await left()).every((ids) => ids === ''),
        'nothing is left',
        LIMIT_MS,
      )
    }
    /** It was one attempt, which ran once, and nothing else happened to it. */
    const hasRunOnce = async (story: Story): Promise<void> => {
      assert.equal((await story.ended()).outcome?.state, 'succeeded')
      assert.deepEqual(await story.marks(), ['run 1', 'end 1'])
      await nothingIsLeft()
    }

    afterEach(wellAgain)

    it('that lose their leader run on what runs, and nothing again that is over', async () => {
      const [own] = others(await leader())
      await using story = await Story.begin(own!, by, {
        keep: { failed_unit: '1h' },
        retry: { max_attempts: 1 },
      })
      await story.end(1, 3, 'failed')
      await story.daemon.run('work', 'failed')
      await story.ended('failed')
      for (let change = 1; change <= 2; change += 1) {
        // The second may be the daemon's own.
        const lost = await leader()
        await lost.engine.kill('SIGKILL')
        await leader(others(lost))
        await lost.engine.start()
        await wellAgain()
      }
      assert.deepEqual(await story.marks('failed'), ['run 1', 'end 1'])
      // Nobody releases it so soon.
      const [service = ''] = (await own!.docker('service', 'ls', '-q', '--filter', FAILED)).split(
        '\n',
      )
      await own!.docker('service', 'rm', service)
      await story.end(1)
      await hasRunOnce(story)
    })

    it('whose leader is cut off with its daemon neither lose nor double what that one does not see', async () => {
      const own = await leader()
      await using story = await Story.begin(own, by)
      await own.cutOff()
      // It goes on answering, with what it knew.
      await story.daemon.run('work', 'later')
      await story.end(1, 0, 'later')
      await story.end(1)
      await story.marked('end 1')
      await leader(others(own))
      await story.refused()
      assert.equal((await story.task()).outcome, undefined)
      await own.plugIn()
      assert.equal((await story.ended('later')).outcome?.state, 'succeeded')
      assert.deepEqual(await story.marks('later'), ['run 1', 'end 1'])
      await hasRunOnce(story)
    })

    // What follows is a matter of calls, whichever way the changes come.
    if (by === 'listing') return

    it('that lose their leader in the middle of many starts make each of them once', async () => {
      const lost = await leader()
      const [own] = others(lost)
      await using story = await Story.begin(own!, by)
      const ids = Array.from({ length: 30 }, (_, i) => `many-${i}`)
      for (const id of ids) await story.end(1, 0, id)
      await Promise.all(ids.map((id) => story.daemon.run('work', id)))
      await lost.engine.kill('SIGKILL')
      for (const id of ids) assert.equal((await story.ended(id)).outcome?.state, 'succeeded')
      for (const id of ids) assert.deepEqual(await story.marks(id), ['run 1', 'end 1'], id)
      await lost.engine.start()
      await story.end(1)
      await hasRunOnce(story)
    })

    it('of which one is a manager no more leave its daemon waiting until it is one again', async () => {
      const first = await leader()
      const [own] = others(first)
      await using story = await Story.begin(own!, by)
      await first.docker('node', 'demote', own!.name)
      await story.refused()
      await story.end(1)
      await story.marked('end 1')
      await story.daemon.run('work', 'later')
      await story.end(1, 0, 'later')
      await first.docker('node', 'promote', own!.name)
      assert.equal((await story.ended('later')).outcome?.state, 'succeeded')
      assert.deepEqual(await story.marks('later'), ['run 1', 'end 1'])
      await hasRunOnce(story)
    })

    it('without a quorum decide nothing, and go on where they were once they have one', async () => {
      const [own, ...away] = swarm.managers
      await using story = await Story.begin(own!, by)
      for (const { engine } of away) await engine.powerOff()
      await story.end(1)
      await story.marked('end 1')
      await story.daemon.run('work', 'later')
      await story.end(1, 0, 'later')
      await story.refused()
      const { state, attempts } = await story.daemon.task('work/later')
      assert(state === 'queued' || state === 'starting', state)
      assert(attempts.length <= 1)
      assert.equal((await story.task()).outcome, undefined)
      for (const { engine } of away) await engine.start()
      assert.equal((await story.ended('later')).outcome?.state, 'succeeded')
      assert.deepEqual(await story.marks('later'), ['run 1', 'end 1'])
      await hasRunOnce(story)
    })
  })
