import type { WireDeadLetter } from '../http/client.ts'
import { manyLines, oneLine } from '../terminal/printable.ts'
import type { Screen } from '../terminal/screen.ts'
import { printTable } from '../terminal/table.ts'

/** A line for each: id, name, when, tries, and the last error. */
export function printDeadLetterList(screen: Screen, letters: readonly WireDeadLetter[]): void {
  if (screen.rich && letters.length === 0) {
    screen.print('no dead letters')
    return
  }
  printTable(
    screen,
    ['ID', 'MESSAGE', 'SINCE', 'TRIES', 'ERROR'],
    letters.map(({ id, name, at, tries, error }) => [
      oneLine(id),
      name === undefined ? '-' : oneLine(name),
      screen.when(at),
      String(tries),
      oneLine(error.message),
    ]),
  )
}

/** All of it, the body last and as it came. */
export function printDeadLetter(screen: Screen, letter: WireDeadLetter): void {
  const { error, body } = letter
  const facts: (readonly [string, string | undefined])[] = [
    ['id', letter.id],
    ['message id', letter.messageId],
    ['name', letter.name],
    ['since', screen.rich ? `${screen.when(letter.at)} (${letter.at})` : letter.at],
    ['tries', String(letter.tries)],
    ['error', `${error.name}: ${error.message}`],
    ['correlation id', letter.correlationId],
    ['attributes', letter.attributes],
    ['sticky attributes', letter.stickyAttributes],
  ]
  for (const [name, value] of facts) {
    if (value === undefined) continue
    const shown = oneLine(value)
    screen.print(
      screen.rich ? `${screen.paint('bold', name.padEnd(17))}  ${shown}` : `${name}\t${shown}`,
    )
  }
  if (error.stack !== undefined)
    for (const line of manyLines(error.stack)) screen.print(`  ${line}`)
  if (body === undefined) return
  screen.print('')
  screen.print(screen.paint('bold', body.encoding === 'utf8' ? 'body' : 'body, in base64'))
  for (const line of manyLines(body.data)) screen.print(line)
}
