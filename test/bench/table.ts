import { type Figure, goalWords, isMet, ratioOf } from './figure.ts'

const HEAD = ['row', 'figure', 'measured', 'beside', '', 'ratio', 'goal', 'met']
/** The columns of numbers, which are set to the right. */
const RIGHT: ReadonlySet<number> = new Set([2, 3, 5])

/** The figures as people read them: aligned, a line each. */
export function table(figures: readonly Figure[]): string {
  const lines = [HEAD, ...figures.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines.map((line) => row(line, widths)).join('\n')
}

function row(cellsOf: readonly string[], widths: readonly number[]): string {
  const padded = cellsOf.map((cell, column) => {
    const width = widths[column]!
    return RIGHT.has(column) ? cell.padStart(width) : cell.padEnd(width)
  })
  return padded.join('  ').trimEnd()
}

function cells(figure: Figure): string[] {
  const { row: name, words, value, unit, limit } = figure
  const ratio = ratioOf(figure)
  const met = isMet(figure)
  return [
    name,
    words,
    `${short(value)} ${unit}`,
    limit === undefined ? '' : `${short(limit.value)} ${unit}`,
    limit?.words ?? '',
    ratio === undefined ? '' : ratio.toFixed(2),
    goalWords(figure),
    met === undefined ? '' : met ? 'yes' : 'NO',
  ]
}

/** Three digits that tell something. */
function short(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

/** One flat object: `row.key`, and beside it `.beside`, `.ratio` and `.met` where there are such. */
export function flat(figures: readonly Figure[]): Record<string, number | boolean> {
  const entries = figures.flatMap((figure) => {
    const name = `${figure.row}.${figure.key}`
    const all: [string, number | boolean | undefined][] = [
      [name, rounded(figure.value)],
      [`${name}.beside`, figure.limit && rounded(figure.limit.value)],
      [`${name}.ratio`, rounded(ratioOf(figure))],
      [`${name}.met`, isMet(figure)],
    ]
    return all.filter((entry): entry is [string, number | boolean] => entry[1] !== undefined)
  })
  return Object.fromEntries(entries)
}

function rounded(value: number): number
function rounded(value: number | undefined): number | undefined
function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(5))
}
