import { isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Document, Node, YAMLMap } from 'yaml'
import type { ConfigIssue } from '../core/errors.ts'
import { isJsonObject } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import type { Path, Problem } from './problem.ts'

/** A YAML file's data, and where each piece of it stands. */
export interface YamlFile {
  /** Plain JSON data, anchors and merge keys resolved; undefined where the text is no YAML. */
  readonly data: Json | undefined
  /** What is wrong with it as YAML. */
  readonly issues: readonly ConfigIssue[]
  /** The problem at its line and column. */
  locate(problem: Problem): ConfigIssue
}

/** `prepare` may change values before they are read; their places stay. */
export function parseYaml(
  file: string,
  text: string,
  prepare?: (document: Document) => void,
): YamlFile {
  const counter = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    merge: true,
    // The tags of YAML 1.1 (binary, timestamps, sets) would make what JSON cannot hold.
    schema: 'core',
  })
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset)
    return { file, line, column: col }
  }
  const issues: ConfigIssue[] = [...document.errors, ...document.warnings].map((error) => ({
    ...place(error.pos[0]),
    message:
      error.code === 'DUPLICATE_KEY'
        ? `the key \`${keyAt(text, error.pos[0])}\` is there twice`
        : `not YAML: ${error.message.split('\n', 1)[0] ?? ''}`,
  }))
  prepare?.(document)
  const broken = document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')
  const data = broken ? undefined : plainData(document)
  if (!broken && data === undefined) {
    issues.push({
      ...place(0),
      message: 'holds what JSON cannot (`.nan`, `.inf`, or aliases of aliases)',
    })
  }
  return {
    data,
    issues,
    locate: ({ path, at, message }) => ({ ...place(offsetOf(document, path, at)), message }),
  }
}

/** Where two places of one or of different files have to be named in a sentence. */
export function placeOf({ file, line, column }: ConfigIssue): string {
  return line === undefined ? file : `${file}:${line}:${column ?? 1}`
}

function plainData(document: Document): Json | undefined {
  let data: unknown
  try {
    data = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    // Thrown by yaml for aliases that grow without bound (a "billion laughs").
    if (error instanceof ReferenceError) return undefined
    throw error
  }
  return isPlain(data) ? data : undefined
}

function isPlain(value: unknown): value is Json {
  if (Array.isArray(value)) return value.every(isPlain)
  if (isJsonObject(value)) return Object.values(value).every(isPlain)
  if (typeof value === 'number') return Number.isFinite(value)
  return value === null || typeof value === 'string' || typeof value === 'boolean'
}

function keyAt(text: string, offset: number): string {
  return /^["']?([^\s"':,}]+)/.exec(text.slice(offset))?.[1] ?? ''
}

/** The offset of the path's last key or value; of the nearest thing around it where it has no place. */
function offsetOf(document: Document, path: Path, at: Problem['at']): number {
  let node = resolved(document.contents, document)
  let key: Node | undefined
  let offset = startOf(node) ?? 0
  for (const step of path) {
    const found = childOf(node, step, document)
    if (found === undefined) return offset
    key = found.key
    // An alias is named where it is used: there the mistake is seen.
    offset = startOf(found.value) ?? startOf(key) ?? offset
    node = resolved(found.value, document)
    if (isEmpty(node) && key !== undefined) offset = startOf(key) ?? offset
  }
  return at === 'key' ? (startOf(key) ?? offset) : offset
}

interface Child {
  readonly key?: Node
  readonly value: unknown
}

function childOf(node: unknown, step: string, document: Document): Child | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)]
    return value === undefined ? undefined : { value }
  }
  if (!isMap(node)) return undefined
  for (const { key, value } of node.items) {
    if (isScalar(key) && String(key.value) === step) return { key, value }
  }
  return mergedChild(node, step, document)
}

/** A key that came in by `<<` stands where the mapping with the anchor has it. */
function mergedChild(map: YAMLMap, step: string, document: Document): Child | undefined {
  for (const { key, value } of map.items) {
    if (!isScalar(key) || key.source !== '<<') continue
    const sources = isSeq(value) ? value.items : [value]
    for (const source of sources) {
      const found = childOf(resolved(source, document), step, document)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function resolved(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isCollection(node) || isAlias(node) ? node.range?.[0] : undefined
}

/** A value that is not written at all: its place in the text is the end of something else. */
function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null && node.source === ''
}
