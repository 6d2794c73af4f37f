import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'

/**
 * The application of the demo: a process of its own that knows the daemon's URL and nothing else. It
 * sends commands of its own as bus messages, follows the events that come of them and tells four
 * stories.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8420' },
    source: { type: 'string', default: 'package-lock.json' },
    folder: { type: 'string', default: '.' },
  },
})

interface Story {
  readonly id: string
  readonly title: string
  readonly ends: string
  readonly source: string
}

const STORIES: readonly Story[] = [
  { id: 'plain', title: 'succeeds', ends: 'task-succeeded', source: values.source },
  {
    id: 'killed',
    title: 'is killed half way, and succeeds at the second attempt',
    ends: 'task-succeeded',
    source: values.source,
  },
  {
    id: 'missing',
    title: 'fails for good at once: its file is missing, and a rule says that this will not mend',
    ends: 'task-failed',
    source: `${values.folder}/no-such-file`,
  },
  { id: 'unwanted', title: 'is cancelled', ends: 'task-cancelled', source: values.source },
]

interface Event {
  readonly name: string
  readonly message: Record<string, unknown> & {
    readonly taskId?: string
    readonly attempt?: number
  }
}

async function send(message: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${values.url}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ message }),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
}

/** The stream of events, open before anything is sent. */
async function follow(): Promise<AsyncIterable<Event>> {
  const response = await fetch(`${values.url}/v1/events`)
  if (!response.ok || response.body === null) throw new Error(`${response.status} from /v1/events`)
  const chunks = response.body.pipeThrough(new TextDecoderStream()).values()
  let text = ''
  async function* frames(): AsyncGenerator<string> {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        yield text.slice(0, end)
        text = text.slice(end + 2)
        continue
      }
      const next = await chunks.next()
      if (next.done === true) return
      text += next.value
    }
  }
  const reader = frames()
  for (;;) {
    const next = await reader.next()
    if (next.done === true) throw new Error('the stream ended before it began')
    if (next.value.startsWith(': ready')) break
  }
  return (async function* events(): AsyncGenerator<Event> {
    for await (const frame of reader) {
      const data = /^data: ?(.*)$/m.exec(frame)?.[1]
      const name = /^event: ?(.*)$/m.exec(frame)?.[1]
      if (data !== undefined && name !== undefined) {
        yield { name, message: (JSON.parse(data) as Event).message }
      }
    }
  })()
}

/** Kills the program of an attempt, as the kernel would when memory runs out. */
async function killProgram(taskId: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const response = await fetch(`${values.url}/v1/tasks/${taskId}/attempts/1/logs`)
    const pid = /pid (\d+).*\n(?:.*\n){3}/.exec(await response.text())?.[1]
    if (pid !== undefined) {
      say(taskId, styleText('yellow', `(somebody kills process ${pid} in the middle of its work)`))
      process.kill(Number(pid), 'SIGKILL')
      return
    }
    await pause(50)
  }
  throw new Error(`the program of ${taskId} has not begun`)
}

const began = performance.now()
function say(taskId: string, words: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(2).padStart(6)
  console.log(`${seconds}s  ${(taskId.split('/')[1] ?? '').padEnd(9)} ${words}`)
}

function inWords({ name, message }: Event): string | undefined {
  const exit = message['exit'] as Record<string, string | number | undefined> | undefined
  const how =
    exit && [exit['reason'], exit['signal'] ?? exit['code']].filter((x) => x !== undefined)
  switch (name) {
    case 'longhaul/task-accepted':
      return 'accepted'
    case 'longhaul/task-started':
      return `attempt ${message.attempt ?? ''} started`
    case 'longhaul/task-exited':
      return `attempt ${message.attempt ?? ''} ended: ${how?.join(' ') ?? ''}`
    case 'longhaul/task-retrying':
      return `will be tried again (${String(message['rule'])})`
    case 'longhaul/task-succeeded':
      return styleText('green', 'SUCCEEDED')
    case 'longhaul/task-failed':
      return styleText('red', `FAILED  (${String(message['rule'])})`)
    case 'longhaul/task-cancelled':
      return styleText('magenta', `CANCELLED  (${String(message['reason'])})`)
    default:
      return styleText('dim', `the application's own event: ${name}`)
  }
}

const events = await follow()
console.log('Four commands go to the bus; each asks for a file to be compressed:\n')
for (const { id, title } of STORIES) console.log(`  ${id.padEnd(9)} ${title}`)
console.log()
for (const { id, source } of STORIES) {
  const target = `${values.folder}/${id}.br`
  await send({ $name: 'demo/compress-file', $version: 1, fileId: id, source, target })
}

const waiting = new Map(STORIES.map((story) => [`compress-file/${story.id}`, story]))
let wrong = 0
let killing = Promise.resolve()
for await (const event of events) {
  const { taskId = '', attempt } = event.message
  const words = inWords(event)
  if (words !== undefined) say(taskId, words)
  if (event.name === 'longhaul/task-started' && attempt === 1) {
    if (taskId === 'compress-file/killed') killing = killProgram(taskId)
    if (taskId === 'compress-file/unwanted') {
      const reason = 'nobody wants it any more'
      await send({ $name: 'longhaul/cancel-task', $version: 1, taskId, reason, by: 'the demo' })
    }
  }
  const outcome = /^longhaul\/(task-(?:succeeded|failed|cancelled))$/.exec(event.name)?.[1]
  const story = waiting.get(taskId)
  if (outcome === undefined || story === undefined) continue
  if (outcome !== story.ends) {
    wrong += 1
    say(taskId, styleText('red', `this should have been ${story.ends}`))
  }
  waiting.delete(taskId)
  if (waiting.size === 0) break
}
await killing
console.log(wrong === 0 ? '\nAll four as told.' : `\n${wrong} not as told.`)
process.exit(wrong === 0 ? 0 : 1)
