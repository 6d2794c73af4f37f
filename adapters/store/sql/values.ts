import { Rejected } from '../../../src/core/errors.ts'
import type { Row, Value } from './statement.ts'

/** Columns as they are read. Each throws `Rejected` where the column holds something else. */
export function text(row: Row, name: string): string {
  const value = row[name]
  if (typeof value !== 'string') throw unexpected(name, 'text')
  return value
}

export function maybeText(row: Row, name: string): string | undefined {
  return row[name] === null ? undefined : text(row, name)
}

export function integer(row: Row, name: string): number {
  const value = row[name]
  if (typeof value !== 'number') throw unexpected(name, 'a number')
  return value
}

export function maybeInteger(row: Row, name: string): number | undefined {
  return row[name] === null ? undefined : integer(row, name)
}

export function bytes(row: Row, name: string): Uint8Array {
  const value = row[name]
  if (!(value instanceof Uint8Array)) throw unexpected(name, 'bytes')
  return value
}

export function time(row: Row, name: string): Date {
  return new Date(integer(row, name))
}

export function maybeTime(row: Row, name: string): Date | undefined {
  return row[name] === null ? undefined : time(row, name)
}

/** JSON that came from outside: nothing in it is taken for a time. */
export function json(row: Row, name: string): unknown {
  return JSON.parse(text(row, name))
}

/** The members of our own records that are times, wherever they stand. */
const TIMES: ReadonlySet<string> = new Set(['at', 'since', 'calledAt'])

/** One of our own records: its times come back as times. */
export function maybeRecord(row: Row, name: string): unknown {
  const value = maybeText(row, name)
  if (value === undefined) return undefined
  return JSON.parse(value, (key, member: unknown) =>
    TIMES.has(key) && typeof member === 'string' ? new Date(member) : member,
  )
}

/** What goes into a column. */
export function stored(value: Date | object | string | number | boolean | undefined): Value {
  if (value === undefined) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value !== 'object') return value
  return value instanceof Date ? value.getTime() : JSON.stringify(value)
}

function unexpected(name: string, what: string): Rejected {
  return new Rejected('store-damaged', `the store's column ${name} does not hold ${what}`)
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** The record without the members that are undefined. */
export function present<T extends object>(record: T): Present<T> {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  ) as Present<T>
}
