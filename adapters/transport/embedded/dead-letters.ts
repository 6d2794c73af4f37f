import type { MessageTable, StoredDeadLetter } from '../../../src/ports/message-table.ts'
import type { DeadLetter, DeadLetters } from '../../../src/ports/transport.ts'
import { nameOf } from './reading.ts'

export function embeddedDeadLetters(messages: MessageTable): DeadLetters {
  return {
    async list(query) {
      const { letters, ...page } = await messages.deadLetters(query)
      return { ...page, letters: letters.map(deadLetter) }
    },
    async show(id) {
      const letter = await messages.deadLetter(id)
      return letter && deadLetter(letter)
    },
    replay: (id) => messages.replay(id),
    drop: (id) => messages.drop(id),
  }
}

function deadLetter({ key, id, body, headers, tries, at, error }: StoredDeadLetter): DeadLetter {
  const name = nameOf(body)
  return {
    ...headers,
    ...(name !== undefined && { name }),
    id: key,
    messageId: id,
    at,
    tries,
    error,
    body: textOrBase64(body),
  }
}

function textOrBase64(body: Uint8Array): DeadLetter['body'] {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    return { encoding: 'utf8', data: text }
  } catch {
    return { encoding: 'base64', data: Buffer.from(body).toString('base64') } // no UTF-8
  }
}
