/** What a stream of server-sent events says. `id` is the last one that was given, as browsers have it. */
export type ServerSent =
  | { readonly kind: 'comment'; readonly text: string }
  | {
      readonly kind: 'event'
      readonly id: string | undefined
      readonly name: string
      readonly data: string
    }

/**
 * Takes the bytes of a stream as they come, cut anywhere, also within a character or a line's end, and
 * gives what is complete (WHATWG HTML, section 9.2.6). What is cut off at the end of a stream is
 * dropped, as it must be.
 */
export function createSseParser(): (chunk: Uint8Array) => readonly ServerSent[] {
  const decoder = new TextDecoder()
  let rest = ''
  /** The last chunk ended with CR: an LF that comes first in the next one belongs to it. */
  let afterCr = false
  let id: string | undefined
  let name = ''
  let data: string[] = []

  return (chunk) => {
    let text = decoder.decode(chunk, { stream: true })
    if (text === '') return []
    if (afterCr && text.startsWith('\n')) text = text.slice(1)
    afterCr = text.endsWith('\r')
    const lines = `${rest}${text}`.split(/\r\n|\r|\n/)
    rest = lines.pop() ?? ''
    return lines.flatMap((line) => take(line) ?? [])
  }

  function take(line: string): ServerSent | undefined {
    if (line === '') return dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) return { kind: 'comment', text: line.slice(1).replace(/^ /, '') }
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') name = value
    else if (field === 'id' && !value.includes('\0')) id = value
    return undefined
  }

  function dispatch(): ServerSent | undefined {
    const event = { kind: 'event', id, name: name || 'message', data: data.join('\n') } as const
    const said = data.length > 0
    name = ''
    data = []
    return said ? event : undefined
  }
}
