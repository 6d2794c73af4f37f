import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Debian's tool that gives a program a pseudo-terminal. */
export const TERMINAL = 'script'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The CLI as a process of its own, which ends with the test that started it. */
export class Cli implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], options: CliOptions = {}) {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^(LONGHAUL_|FORCE_COLOR|NO_COLOR|CI$)/.test(name),
      ),
    )
    const [command, ...rest]: [string, ...string[]] = options.terminal
      ? [TERMINAL, '-qec', [process.execPath, MAIN, ...args].map(quoted).join(' '), '/dev/null']
      : [process.execPath, MAIN, ...args]
    this.child = spawn(command, rest, {
      cwd: options.cwd ?? tmpdir(),
      env: { ...env, TERM: 'xterm', ...options.env },
    })
    this.child.stdout.setEncoding('utf8').on('data', (chunk: string) => (this.stdout += chunk))
    this.child.stderr.setEncoding('utf8').on('data', (chunk: string) => (this.stderr += chunk))
    this.child.stdin.on('error', () => undefined)
    if (options.input !== undefined) this.child.stdin.end(options.input)
    else if (!options.terminal) this.child.stdin.end()
    this.ended = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}

interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  /** On a pseudo-terminal. */
  readonly terminal?: boolean
}

/** Runs it to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  await using cli = new Cli(args, options)
  return await cli.ended
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
