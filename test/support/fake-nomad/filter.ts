/** Whether an object of a list is wanted. */
export type Filter = (object: object) => boolean

/**
 * A filter of lists (hashicorp/go-bexpr), as far as Longhaul asks: `==`, `!=` and `matches` on a field or
 * on a member of a map, `and`, `or` and brackets. Throws for what it does not know.
 */
export function filterOf(text: string): Filter {
  const reader = new Reader(tokensOf(text.trim()))
  const filter = reader.either()
  reader.end()
  return filter
}

function tokensOf(text: string): readonly string[] {
  const pattern = /("(?:[^"\\]|\\.)*"|==|!=|[()[\]]|[\w.]+)\s*/y
  const tokens: string[] = []
  while (pattern.lastIndex < text.length) {
    const token = pattern.exec(text)?.[1]
    if (token === undefined) throw new Error(`the fake Nomad cannot read the filter ${text}`)
    tokens.push(token)
  }
  return tokens
}

type Fields = Readonly<Record<string, unknown>>

class Reader {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  either(): Filter {
    const left = this.#both()
    if (!this.#take('or')) return left
    const right = this.either()
    return (object) => left(object) || right(object)
  }

  end(): void {
    if (this.#at < this.#tokens.length) this.#fail()
  }

  #both(): Filter {
    const left = this.#one()
    if (!this.#take('and')) return left
    const right = this.#both()
    return (object) => left(object) && right(object)
  }

  #one(): Filter {
    if (this.#take('(')) {
      const inner = this.either()
      this.#expect(')')
      return inner
    }
    const name = this.#next()
    const member = this.#take('[') ? this.#text() : undefined
    if (member !== undefined) this.#expect(']')
    const operator = this.#next()
    const wanted = this.#text()
    const test = testOf(operator, wanted) ?? this.#fail()
    return (object) => {
      const found = (object as Fields)[name]
      const value = member === undefined ? found : (found as Fields | null)?.[member]
      return test(typeof value === 'string' ? value : '')
    }
  }

  #text(): string {
    return JSON.parse(this.#next()) as string
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false
    this.#at += 1
    return true
  }

  #expect(token: string): void {
    if (!this.#take(token)) this.#fail()
  }

  #next(): string {
    const token = this.#tokens[this.#at] ?? this.#fail()
    this.#at += 1
    return token
  }

  #fail(): never {
    throw new Error(
      `the fake Nomad cannot read the filter at ${this.#tokens[this.#at] ?? 'its end'}`,
    )
  }
}

function testOf(operator: string, wanted: string): ((value: string) => boolean) | undefined {
  switch (operator) {
    case '==':
      return (value) => value === wanted
    case '!=':
      return (value) => value !== wanted
    case 'matches': {
      const pattern = new RegExp(wanted)
      return (value) => pattern.test(value)
    }
    default:
      return undefined
  }
}
