/** One measured figure, and what it stands beside. */
export interface Figure {
  readonly row: string
  /** In the JSON, after the row's name. */
  readonly key: string
  readonly words: string
  readonly value: number
  readonly unit: Unit
  /** What the machine itself does, or what this is compared with, measured in the same run. */
  readonly limit?: { readonly words: string; readonly value: number }
  readonly goal?: Goal
}

type Unit = '/s' | 'ms' | 'MB' | 'kB/s' | '%' | 's'

type Goal =
  /** The value's share of its limit is at least this. */
  | { readonly kind: 'share'; readonly atLeast: number }
  /** The value is so many times its limit at most. */
  | { readonly kind: 'times'; readonly atMost: number }
  /** The value itself stays under this. */
  | { readonly kind: 'under'; readonly value: number }
  /** The value is less than this above its limit. */
  | { readonly kind: 'above'; readonly lessThan: number }

export function ratioOf({ value, limit }: Figure): number | undefined {
  return limit === undefined || limit.value === 0 ? undefined : value / limit.value
}

/** Undefined without a goal. */
export function isMet(figure: Figure): boolean | undefined {
  const { goal, value, limit } = figure
  const ratio = ratioOf(figure)
  switch (goal?.kind) {
    case undefined:
      return undefined
    case 'share':
      return ratio !== undefined && ratio >= goal.atLeast
    case 'times':
      return ratio !== undefined && ratio <= goal.atMost
    case 'under':
      return value < goal.value
    case 'above':
      return limit !== undefined && value - limit.value < goal.lessThan
  }
}

export function goalWords({ goal, unit }: Figure): string {
  switch (goal?.kind) {
    case undefined:
      return ''
    case 'share':
      return `>= ${goal.atLeast.toFixed(2)} of it`
    case 'times':
      return `<= ${goal.atMost.toFixed(2)} times`
    case 'under':
      return `< ${goal.value} ${unit}`
    case 'above':
      return `< ${goal.lessThan} ${unit} more`
  }
}
