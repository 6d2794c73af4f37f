import { watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'

/** Editors and deployments write a file in several steps; what is read between them is half a file. */
const SETTLE_MS = 200
/** Watches lose events, and see nothing of a folder that is put in another's place (a symlink turned round). */
const LOOK_EVERY_MS = 5_000

/**
 * Calls `onChange` when something in the folder has changed and nothing has for a moment: at once where
 * the folder can be watched, within seconds where it cannot or the watch has missed it. What changes
 * after this has resolved is not missed.
 */
export async function watchTaskTypes(
  folder: string,
  onChange: () => void,
  logger: Logger,
): Promise<AsyncDisposable> {
  let settling: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  const changed = () => {
    clearTimeout(settling)
    settling = setTimeout(onChange, SETTLE_MS)
  }
  const look = async () => {
    const now = await appearance(folder)
    if (seen !== now) changed()
    seen = now
  }
  const stop = startWatching(folder, changed, (error) => {
    const message = errorMessage(error)
    logger.warn('task-types.unwatched', { folder, error: message, lookEveryMs: LOOK_EVERY_MS })
  })
  let seen = await appearance(folder)
  const timer = setInterval(() => {
    looking = look()
  }, LOOK_EVERY_MS).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      stop()
      await looking
      clearTimeout(settling)
    },
  }
}

/** Names, sizes and times of what is in the folder: cheap to have, and different after every edit. */
async function appearance(folder: string): Promise<string> {
  try {
    const names = (await readdir(folder)).sort()
    const files = names.map(async (name) => {
      const { ino, size, mtimeMs } = await stat(join(folder, name))
      return `${name} ${ino} ${size} ${mtimeMs}`
    })
    return (await Promise.all(files)).join('\n')
  } catch (error) {
    // Whoever reads the files is told why they cannot be read; here it is only another appearance.
    return errorMessage(error)
  }
}

function startWatching(
  folder: string,
  onEvent: () => void,
  onError: (error: unknown) => void,
): () => void {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent)
    watcher.on('error', onError)
    return () => {
      watcher.close()
    }
  } catch (error) {
    // No such folder, or the system's limit of watches is reached.
    onError(error)
    return () => undefined
  }
}
