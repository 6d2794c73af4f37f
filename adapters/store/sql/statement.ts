/** What both databases take and give: times are integer milliseconds, JSON is text, booleans 0 and 1. */
export type Value = null | number | string | Uint8Array
export type Row = Readonly<Record<string, Value>>

/** SQL with a `?` for every value, in order. A driver whose database numbers them rewrites the text. */
export interface Statement {
  readonly text: string
  readonly values: readonly Value[]
}

/**
 * A transaction as a generator that yields statements and is given their rows. One driver runs it in
 * one synchronous go, another awaits between the statements; the transaction cannot tell. Throwing
 * undoes all that it wrote.
 */
export type Transaction<T> = Generator<Statement, T, readonly Row[]>

/** SQL text with values, and with statements as fragments, in it. */
export function sql(
  strings: TemplateStringsArray,
  ...parts: readonly (Value | Statement)[]
): Statement {
  let text = strings[0] ?? ''
  const values: Value[] = []
  parts.forEach((part, index) => {
    if (isFragment(part)) {
      text += part.text
      values.push(...part.values)
    } else {
      text += '?'
      values.push(part)
    }
    text += strings[index + 1] ?? ''
  })
  return { text, values }
}

/** Text as it stands: names and clauses of the program's own, never anything that came from outside. */
export function raw(text: string): Statement {
  return { text, values: [] }
}

export function join(parts: readonly (Value | Statement)[], separator = ', '): Statement {
  const statements = parts.map((part) => (isFragment(part) ? part : sql`${part}`))
  return {
    text: statements.map(({ text }) => text).join(separator),
    values: statements.flatMap(({ values }) => values),
  }
}

/** To a power of two, by repeating the last: few different texts, so few statements to prepare. */
export function padded<T extends Value>(values: readonly T[]): readonly T[] {
  const last = values.at(-1)
  if (last === undefined) return []
  const length = 2 ** Math.ceil(Math.log2(values.length))
  return [...values, ...Array<T>(length - values.length).fill(last)]
}

/**
 * `LIMIT n`. SQLite (3.53) plans by a bare parameter there, so it prepares the statement
 * anew for every value, and also for the same one; a sum it leaves alone.
 */
export function limited(rows: number): Statement {
  return sql`LIMIT ${rows} + 0`
}

export type Columns = Readonly<Record<string, Value>>

/** `(a, b) VALUES (?, ?)` */
export function inserted(columns: Columns): Statement {
  return insertedRows([columns])
}

/** The same for several rows of the same columns. */
export function insertedRows(rows: readonly Columns[]): Statement {
  const names = Object.keys(rows[0] ?? {})
  const row = `(${names.map(() => '?').join(', ')})`
  return {
    text: `(${names.join(', ')}) VALUES ${rows.map(() => row).join(', ')}`,
    values: rows.flatMap((columns) => names.map((name) => columns[name] ?? null)),
  }
}

/** `a = ?, b = ?` */
export function assigned(columns: Columns): Statement {
  return join(Object.entries(columns).map(([name, value]) => sql`${raw(name)} = ${value}`))
}

function isFragment(part: Value | Statement): part is Statement {
  return typeof part === 'object' && part !== null && !(part instanceof Uint8Array)
}
