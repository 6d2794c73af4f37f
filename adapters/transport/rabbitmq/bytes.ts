import type { Channel } from 'rabbitmq-client'

/** As a message is marked so that the client leaves its body alone. */
const LEFT_ALONE = 'identity'

/**
 * Has the channel deliver bodies as they came. The client parses what says it is JSON or text, unless it
 * has an encoding, and keeps no bytes; there is no option against it. So a message without an encoding
 * is given the one that means nothing. (Channel#_onHeader is not public: a test pins it.)
 */
export function keepBytes(channel: Channel): void {
  const onHeader = Reflect.get(channel, '_onHeader') as (frame: HeaderFrame) => void
  Reflect.set(channel, '_onHeader', (frame: HeaderFrame) => {
    frame.fields.contentEncoding ??= LEFT_ALONE
    onHeader.call(channel, frame)
  })
}

interface HeaderFrame {
  readonly fields: { contentEncoding?: string }
}

/** The encoding that a message was sent with. */
export function encodingOf(encoding: string | undefined): string | undefined {
  return encoding === LEFT_ALONE ? undefined : encoding
}
