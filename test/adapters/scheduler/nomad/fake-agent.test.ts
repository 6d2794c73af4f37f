import { join } from 'node:path'
import { FakeNomad } from '../../../support/fake-nomad/fake-nomad.ts'
import { temporaryFolder } from '../../../support/store.ts'
import { Play, steered, type Story } from './fake-play.ts'
import { readStream, type ReadStream } from './fake-stream.ts'
import { recording, recordingNames } from './recordings.ts'

const OOM = { code: 137, signal: 0, message: 'OOM Killed', oomKilled: true }
const STORIES: Readonly<Record<string, Story>> = {
  'acl-denied': { nomad: { token: 'secret' } },
  'docker-bad-command': { nomad: { script: () => ({ fails: wordIn('docker-bad-command') }) } },
  'docker-image-missing': {
    nomad: {
      script: () => ({ pulls: 'nosuch.invalid/image:9', fails: wordIn('docker-image-missing') }),
    },
  },
  'docker-oom': {
    nomad: { script: () => ({}) },
    before: {
      208: (nomad) => {
        for (const allocation of nomad.state.allocations.values()) nomad.end(allocation, OOM)
      },
    },
  },
  'drain-node': {
    first: (nomad) => {
      nomad.drain(undefined, 0)
      nomad.setEligible(undefined, true)
    },
  },
  'logs-follow': { after: { 1: 351, 2: 352, 3: 352 } },
  'node-lost': {
    endedOddly: 'the client was restarted, and killed what it had lost sight of',
    before: {
      15: (nomad) => {
        nomad.lose()
      },
      20: (nomad) => nomad.bringBack(),
    },
  },
  'register-invalid': { inTheMiddle: { 5: 'a task whose configuration had just been refused' } },
  'node-lost-kept': {
    before: {
      43: (nomad) => {
        nomad.lose()
      },
      51: (nomad) => nomad.bringBack(),
    },
  },
}

/** The driver's own words, with what they name of one machine. */
function wordIn(name: string): string {
  const text = JSON.stringify(recording(name).stream)
  return JSON.parse(/"driver_error":("(?:[^"\\]|\\.)*")/.exec(text)?.[1] ?? '""') as string
}

/** Where no stream may be read. */
const unheard: ReadStream = {
  frames: [],
  ended: Promise.resolve(),
  until: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

describe('a fake Nomad', function () {
  this.timeout(60_000)

  for (const name of recordingNames())
    it(`answers and tells as the real one did in ${name}`, async () => {
      await using folder = await temporaryFolder()
      const go = join(folder.path, 'go')
      const recorded = steered(recording(name), go)
      const story = STORIES[name] ?? {}
      const [, node = 'vm'] = /"NodeName":"([^"]+)"/.exec(JSON.stringify(recorded)) ?? []
      await using nomad = await FakeNomad.start({
        drivers: ['raw_exec', 'docker'],
        nodes: [node],
        ...story.nomad,
      })
      story.first?.(nomad)
      const isOpen = story.nomad?.token === undefined
      await using stream = isOpen ? await readStream(nomad.address) : unheard
      const play = new Play({ nomad, stream, story, recorded, go })
      await play.calls()
      await play.reach(Infinity)
      play.compareAnswers()
      play.compareStreams()
    })
})
