import { styleText } from 'node:util'
import { relativeText } from './time.ts'

/**
 * What a command says, and to whom: results to stdout, remarks to stderr. On a terminal it is for
 * people (colours unless NO_COLOR is set, relative times, a live line), piped for programs (plain, ISO
 * times, a tab between columns).
 */
export interface Screen extends Disposable {
  /** Whether stdout is a terminal. */
  readonly rich: boolean
  readonly columns: number
  /** A line of the result. */
  print(line: string): void
  /** A piece of the result as it is. */
  write(chunk: Uint8Array | string): void
  /** A remark; nothing of the result. */
  note(line: string): void
  paint(format: Format, text: string): string
  /** A time of the daemon's, as it is best read here. */
  when(iso: string): string
  /**
   * Keeps one line at the bottom of a terminal up to date until it is replaced; does nothing elsewhere.
   * Undefined takes it away.
   */
  live(line: (() => string) | undefined): void
}

/** What `util.styleText` takes: `red`, `bold`, or several of them. */
export type Format = Parameters<typeof styleText>[0]

interface Out {
  readonly isTTY?: boolean
  readonly columns?: number
  write(chunk: Uint8Array | string): unknown
}

const REFRESH_MS = 1_000

export function createScreen(
  stdout: Out & NodeJS.WritableStream,
  stderr: Out & NodeJS.WritableStream,
  nowMs: () => number = Date.now,
): Screen {
  const rich = stdout.isTTY === true
  let live: (() => string) | undefined
  let timer: NodeJS.Timeout | undefined
  let shown = false

  // A terminal that does not know its size says 0.
  const columns = () => (stdout.columns === undefined || stdout.columns === 0 ? 80 : stdout.columns)
  const clear = () => {
    if (shown) stdout.write('\r\u001b[2K')
    shown = false
  }
  const draw = () => {
    if (live === undefined) return
    clear()
    // A line that wraps cannot be taken away again with one stroke.
    stdout.write(styleText('dim', clipped(live(), columns() - 1), { stream: stdout }))
    shown = true
  }
  const above = (out: Out, text: Uint8Array | string) => {
    clear()
    out.write(text)
    draw()
  }

  return {
    rich,
    get columns() {
      return columns()
    },
    print: (line) => {
      above(stdout, `${line}\n`)
    },
    write: (chunk) => {
      above(stdout, chunk)
    },
    note: (line) => {
      above(stderr, `${styleText('dim', line, { stream: stderr })}\n`)
    },
    paint: (format, text) => styleText(format, text, { stream: stdout }),
    when: (iso) => (rich ? relativeText(iso, nowMs()) : iso),
    live(line) {
      if (!rich) return
      clear()
      clearInterval(timer)
      live = line
      if (line === undefined) return
      timer = setInterval(draw, REFRESH_MS)
      draw()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      live = undefined
      clear()
    },
  }
}

export function clipped(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`
}
