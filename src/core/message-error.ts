const STACK_LINES = 5

/** What is kept of the error that a message failed with. */
export interface MessageError {
  readonly name: string
  readonly message: string
  /** The stack's first lines. */
  readonly stack?: string
}

export function describeError(error: unknown): MessageError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const stack = error.stack?.split('\n').slice(0, STACK_LINES).join('\n')
  return { name: error.name, message: error.message, ...(stack !== undefined && { stack }) }
}

/** bus-core wraps what the handlers threw, workflows once more: the first is the one that tells. */
export function handlersError(error: unknown): unknown {
  if (!(error instanceof Error) || !('rejections' in error)) return error
  const [first] = Array.isArray(error.rejections) ? (error.rejections as unknown[]) : []
  return first === undefined ? error : handlersError(first)
}
