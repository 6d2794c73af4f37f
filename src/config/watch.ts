import { watch } from 'node:fs'
import { errorMessage } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'

/** Editors and deployments write a file in several steps; what is read between them is half a file. */
const SETTLE_MS = 200

/**
 * Calls `onChange` when something in the folder has changed and nothing has for a moment. A hint:
 * where folders cannot be watched, or the folder itself is put in another's place (a symlink that is
 * turned round), it says nothing or only warns, and SIGHUP is the sure way.
 */
export function watchTaskTypes(
  folder: string,
  onChange: () => void,
  logger: Logger,
): AsyncDisposable {
  let settling: NodeJS.Timeout | undefined
  const stop = startWatching(
    folder,
    () => {
      clearTimeout(settling)
      settling = setTimeout(onChange, SETTLE_MS)
    },
    (error) => {
      const remedy = 'send SIGHUP after an edit, or start the daemon again'
      logger.warn('task-types.unwatched', { folder, error: errorMessage(error), remedy })
    },
  )
  return {
    [Symbol.asyncDispose]() {
      stop()
      clearTimeout(settling)
      return Promise.resolve()
    },
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
