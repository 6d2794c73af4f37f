import { nameOf, textOrBase64 } from '../../../src/core/message-reading.ts'
import type { MessageTable, StoredDeadLetter } from '../../../src/ports/message-table.ts'
import type { DeadLetter, DeadLetters } from '../../../src/ports/transport.ts'

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
