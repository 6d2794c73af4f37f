import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '../../../support/store.ts'

export interface Holder extends AsyncDisposable {
  /** The whole lines that it has written. */
  lines(): readonly string[]
  kill(): Promise<void>
}

/** Another process that has the file open when this resolves. */
export async function startHolder(file: string, ...args: string[]): Promise<Holder> {
  const script = fileURLToPath(new URL('holder.ts', import.meta.url))
  const child = spawn(process.execPath, [script, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  const lines = () => output.split('\n').slice(0, -1)
  try {
    await until(() => lines().includes('open'), 'the other process opens the store', 10_000)
  } catch (error) {
    await kill()
    throw error
  }
  return { lines, kill, [Symbol.asyncDispose]: kill }
}
