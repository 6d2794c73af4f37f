import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { Installation } from '../support/daemon.ts'
import { openAdmin, uniqueName, useBroker } from '../support/rabbitmq.ts'
import { requireOrSkip } from '../support/services.ts'
import { until } from '../support/store.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/video')
const LIMIT_MS = 90_000
const EXCHANGES = [
  ...['media/video-uploaded', 'media/encode-video'],
  ...['media/video-encoded', 'media/video-not-encoded', 'media/video-encoding-cancelled'],
]

const runs = promisify(execFile)

function isThere(program: string): Promise<boolean> {
  return runs(program, ['-version']).then(
    () => true,
    () => false,
  )
}

/** What ffprobe says of a file: its container, its codec, its length in seconds. */
async function probe(file: string): Promise<readonly [string, string, number]> {
  const options = ['-v', 'error', '-show_entries', 'format=format_name,duration:stream=codec_name']
  const { stdout } = await runs('ffprobe', [...options, '-of', 'json', file])
  const { format, streams } = JSON.parse(stdout) as {
    readonly format: { readonly format_name: string; readonly duration: string }
    readonly streams: readonly { readonly codec_name: string }[]
  }
  return [format.format_name, streams[0]!.codec_name, Math.round(Number(format.duration))]
}

/** The processes of a group that run this program. */
async function processesOf(group: number, program: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    const [, name, ids] = /^\d+ \((.*)\) \S \d+ (\d+) /s.exec(stat) ?? []
    if (name === program && Number(ids) === group) found.push(Number(pid))
  }
  return found
}

/** Takes away what the example has on a broker that others may use after it. */
async function removeFrom(url: string, queue: string): Promise<void> {
  await using admin = openAdmin(url)
  await admin.removeService(queue, EXCHANGES)
  const app = 'video-application'
  for (const end of ['', '-retry', '-dead-letter']) {
    await admin.connection.queueDelete({ queue: `${app}${end}` })
  }
  for (const end of ['', '-retry'])
    await admin.connection.exchangeDelete({ exchange: `${app}${end}` })
}

describe('examples/video', function () {
  this.timeout(3 * LIMIT_MS)
  const broker = useBroker()
  let installation: Installation
  let env: Record<string, string>
  let media: string
  let application: ChildProcess
  const opened = new AsyncDisposableStack()
  const said: string[] = []

  before(async function () {
    const ok = (await isThere('ffmpeg')) && (await isThere('ffprobe'))
    requireOrSkip(this, 'ffmpeg', ok, 'it is not installed')
    const queue = uniqueName('video-longhaul')
    opened.defer(() => removeFrom(broker().url, queue))
    // The example's own file, but for what a test must have to itself.
    const text = await readFile(join(EXAMPLE, 'longhaul.yml'), 'utf8')
    const { bus, store, scheduler } = parse(text) as Record<string, object>
    installation = await Installation.make(
      {},
      {
        tasks: join(EXAMPLE, 'tasks'),
        bus: { ...bus, url: broker().url, queue },
        store,
        scheduler,
      },
    )
    opened.use(installation)
    media = join(installation.folder, 'media')
    await mkdir(media)
    env = { RABBITMQ_URL: broker().url, VIDEO_FOLDER: media }
  })

  after(() => opened.disposeAsync())

  /** Starts one of the example's programs. */
  function node(program: string, ...args: readonly string[]): ChildProcess {
    return spawn(process.execPath, [join(EXAMPLE, program), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  }

  async function upload(...args: readonly string[]): Promise<void> {
    const [code] = (await once(node('upload.ts', ...args), 'exit')) as [number]
    assert.equal(code, 0)
  }

  const hears = (words: RegExp) =>
    until(() => said.some((line) => words.test(line)), `it says ${words.source}`, LIMIT_MS).catch(
      (error: unknown) => {
        throw new Error(`it said:\n${said.join('\n')}`, { cause: error })
      },
    )

  it('starts: the daemon on its file, then the application', async () => {
    assert.equal(await installation.start(env), 'started', installation.lines.join('\n'))
    application = node('application.ts')
    opened.defer(() => void application.kill('SIGKILL'))
    createInterface({ input: application.stdout! }).on('line', (line) => said.push(line))
    await hears(/is ready/)
  })

  it('has a clip encoded although the daemon is killed meanwhile, and its workflow is told', async () => {
    await upload('--id', 'clip', '--seconds', '8')
    await until(
      async () => /^frame=\d/m.test(await installation.output('encode-video/clip')),
      'the encoder reports progress',
      LIMIT_MS,
    )
    await installation.end('SIGKILL')
    assert.equal((await installation.groups()).length, 1, 'the encoder goes on without a daemon')
    assert.ok(!(await readdir(media)).includes('clip.webm'), 'a half file has the target’s name')
    assert.equal(await installation.start(env), 'started', installation.lines.join('\n'))

    await hears(/^clip +ENCODED as clip\.webm, at the first attempt$/)
    assert.deepEqual(await probe(join(media, 'clip.webm')), ['matroska,webm', 'vp9', 8])
    assert.deepEqual((await readdir(media)).sort(), ['clip.mkv', 'clip.webm'])
    const { state, attempts } = await installation.task('encode-video/clip')
    assert.deepEqual([state, attempts.length], ['succeeded', 1])
  })

  it('encodes again where the encoder is killed', async () => {
    await upload('--id', 'shot', '--seconds', '4')
    await until(
      async () => /^frame=\d/m.test(await installation.output('encode-video/shot')),
      'the encoder reports progress',
      LIMIT_MS,
    )
    const [group] = await installation.groups()
    const [encoder] = await processesOf(group!, 'ffmpeg')
    process.kill(encoder!, 'SIGKILL')
    await hears(/^shot +ENCODED as shot\.webm, at attempt 2$/)
    assert.deepEqual(await probe(join(media, 'shot.webm')), ['matroska,webm', 'vp9', 4])
    assert.deepEqual(
      (await readdir(media)).filter((name) => name.startsWith('.')),
      [],
    )
  })

  it('tells of a file that is no video, tried once, and of a command that is not taken', async () => {
    await upload('--id', 'poem', '--broken')
    await hears(/^poem +NOT ENCODED: failed 65 /)
    assert.equal((await installation.task('encode-video/poem')).attempts.length, 1)
    await upload('--id', 'Not_An_Id', '--broken')
    await hears(/^Not_An_Id +REJECTED: .*\/videoId/)
  })

  it('tells the workflow of a second upload at once how the first one ended, and encodes nothing', async () => {
    await upload('--id', 'poem', '--broken')
    const told = () => said.filter((line) => /^poem +NOT ENCODED/.test(line)).length
    await until(() => told() === 2, 'it is told again', LIMIT_MS)
    assert.equal((await installation.task('encode-video/poem')).attempts.length, 1)
  })

  it('ends at SIGTERM, the application too, and each upload was told of once', async () => {
    const exited = once(application, 'exit')
    application.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
    assert.equal(await installation.end(), 0)
    const ends = said.filter((line) => /ENCODED|REJECTED|CANCELLED/.test(line))
    assert.deepEqual(ends.map((line) => line.split(' ')[0]).sort(), [
      'Not_An_Id',
      'clip',
      'poem',
      'poem',
      'shot',
    ])
  })
})
