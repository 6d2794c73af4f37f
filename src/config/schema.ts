import type { Json, JsonObject } from '../core/json.ts'

/**
 * The words in which the schemas of the configuration files are written: JSON Schema (2020-12), so
 * that one object validates, documents and serves editors, and a few keywords of our own beside it:
 *
 * - `x-duration`, `x-bytes`, `x-pointer`: what a string must be beyond its type.
 * - `x-expects`: a noun phrase for "must be …" where the keyword alone would say too little.
 * - `x-refused`: keys that other tools know and that are refused here, each with the reason.
 * - `x-missing`: what is said of a key that is required and not there.
 */
export type Schema = JsonObject

type More = Readonly<Record<string, Json>>

export function text(description: string, more: More = {}): Schema {
  return { description, type: 'string', minLength: 1, ...more }
}

export function integer(description: string, more: More = {}): Schema {
  return { description, type: 'integer', ...more }
}

export function number(description: string, more: More = {}): Schema {
  return { description, type: 'number', ...more }
}

export function flag(description: string, more: More = {}): Schema {
  return { description, type: 'boolean', ...more }
}

export function oneOf(description: string, values: readonly string[], more: More = {}): Schema {
  return { description, type: 'string', enum: values, ...more }
}

/** `minMs` is the least that makes sense; days are the task block's alone, Compose has none. */
export function duration(
  description: string,
  { minMs = 1, days = true, ...more }: More & { minMs?: number; days?: boolean } = {},
): Schema {
  return {
    description,
    type: 'string',
    'x-duration': { minMs, days },
    'x-expects': `${minMs > 0 ? 'a duration of more than nothing' : 'a duration'}, such as \`30s\`, \`5m\` or \`1h30m\``,
    ...more,
  }
}

export function bytes(
  description: string,
  { min = 1, max = Number.MAX_SAFE_INTEGER, ...more }: More & { min?: number; max?: number } = {},
): Schema {
  return {
    description,
    type: ['string', 'integer'],
    'x-bytes': { min, max },
    'x-expects': 'a size such as `16k`, `512M` or `2G`',
    ...more,
  }
}

export function pointer(description: string, more: More = {}): Schema {
  return {
    description,
    type: 'string',
    'x-pointer': true,
    'x-expects': 'a JSON Pointer into the command, such as `/videoId`',
    ...more,
  }
}

export function list(description: string, items: Schema, more: More = {}): Schema {
  return { description, type: 'array', items, ...more }
}

/** A mapping whose keys the user makes up. */
export function map(description: string, values: Schema, more: More = {}): Schema {
  return { description, type: 'object', additionalProperties: values, ...more }
}

/** A mapping of known keys; `x-…` is let through everywhere, as Compose does. */
export function keys(
  description: string,
  properties: Readonly<Record<string, Schema>>,
  more: More = {},
): Schema {
  return {
    description,
    type: 'object',
    properties,
    patternProperties: { '^x-': {} },
    additionalProperties: false,
    ...more,
  }
}
