import { Bus } from '@node-ts/bus-core'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { VideoUploaded } from './messages.ts'
import { openTransport } from './transport.ts'

/** Plays the person who uploads: makes a clip (ffmpeg's test picture) and publishes that it is there. */
const { values } = parseArgs({
  options: {
    id: { type: 'string', default: randomUUID().slice(0, 8) },
    seconds: { type: 'string', default: '20' },
    broken: { type: 'boolean', default: false },
  },
})
const folder = process.env['VIDEO_FOLDER'] ?? join(import.meta.dirname, 'media')
const file = `${values.id}.mkv`

await mkdir(folder, { recursive: true })
if (values.broken) {
  await writeFile(join(folder, file), 'this is no video')
} else {
  const picture = `testsrc=duration=${values.seconds}:size=1280x720:rate=30`
  const options = ['-nostdin', '-loglevel', 'error', '-y', '-f', 'lavfi', '-i', picture]
  await promisify(execFile)('ffmpeg', [...options, '-c:v', 'mpeg4', join(folder, file)])
}

const bus = Bus.configure().withTransport(openTransport()).asSendOnly().build()
await bus.initialize()
await bus.publish(new VideoUploaded(values.id, file))
// Closing the channel flushes it: the stock transport does not say when the broker has a message.
await bus.dispose()
console.log(`${values.id}  published as uploaded`)
