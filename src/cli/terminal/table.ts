import { clipped, type Format, type Screen } from './screen.ts'

export interface Cell {
  readonly text: string
  readonly format?: Format
}

const GAP = '  '

/**
 * On a terminal aligned columns under their headings, the last one cut at the edge; piped a line for
 * each row with a tab between the columns, and no headings: `cut -f` takes it as it is.
 */
export function printTable(
  screen: Screen,
  headings: readonly string[],
  rows: readonly (readonly (Cell | string)[])[],
): void {
  const cells = rows.map((row) =>
    row.map((cell): Cell => (typeof cell === 'string' ? { text: cell } : cell)),
  )
  if (!screen.rich) {
    for (const row of cells) screen.print(row.map(({ text }) => text).join('\t'))
    return
  }
  const all = [headings.map((text): Cell => ({ text, format: 'bold' })), ...cells]
  const widths = headings.map((_, i) => Math.max(...all.map((row) => widthOf(row[i]?.text ?? ''))))
  const before = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0)
  const room = Math.max(20, screen.columns - before)
  for (const row of all) {
    const line = row.map(({ text, format }, i) => {
      const isLast = i === headings.length - 1
      const painted = (what: string) => (format === undefined ? what : screen.paint(format, what))
      if (isLast) return painted(clipped(text, room))
      return `${painted(text)}${' '.repeat((widths[i] ?? 0) - widthOf(text))}`
    })
    screen.print(line.join(GAP).trimEnd())
  }
}

/** In code points: a surrogate pair takes one place. */
function widthOf(text: string): number {
  return text.replace(/[\udc00-\udfff]/g, '').length
}
