import { EXIT } from '../exit-code.ts'
import { createScreen, type Screen } from './screen.ts'

/** The screen of this process. Where a reader of the output has gone, the process ends quietly. */
export function processScreen(): Screen {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      process.exit(EXIT.brokenPipe)
    })
  }
  return createScreen(process.stdout, process.stderr)
}
