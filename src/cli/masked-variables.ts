import { isDeepStrictEqual } from 'node:util'
import { compileTaskType } from '../core/compose/compile.ts'
import { type Environment, interpolate } from '../core/compose/interpolate.ts'
import { Rejected } from '../core/errors.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Definition, TaskType } from '../core/task-type.ts'
import { type FilledIn, hideFilledIn } from './filled-in.ts'
import { filledIn, isLike, mapTexts, MASKS, unmasked } from './masks.ts'

/** A place of the definition where a variable is filled in. */
interface Use {
  readonly place: string
  readonly text: string
  readonly name: string
}

/** What is filled in otherwise than the environment has it, by place. */
type Masks = ReadonlyMap<string, Environment>

/** What a scheduler makes of the definition with these masks. */
type Make = (masks: Masks) => Json | Rejected

export interface Masked {
  readonly rendered: Json
  /** The variables whose values are not shown. */
  readonly masked: readonly string[]
  /** Those in whose place a word was translated, and their values are translated to something else. */
  readonly asWords: readonly string[]
}

/**
 * What a scheduler makes of a definition, with `${NAME}` in the place of every variable's value, as it
 * may be a secret. It is made of words in the values' place (`MASKS`), each use by itself: of those that
 * are taken, one by which nothing but text becomes another, where there is one. Where none is taken,
 * something is calculated of the value (a size, a duration), or it is one of a few that there are, and it
 * is filled in; what is left of it as text is masked afterwards, wherever it stands, keys included.
 *
 * Throws `Rejected` where the scheduler refuses the definition, without a value in the message.
 */
export function renderMasked(
  definition: Definition,
  env: Environment,
  render: (type: TaskType) => Json,
): Masked {
  const names = Object.keys(env)
  const wordFor = (name: string) => MASKS.word(names.indexOf(name))
  const pathFor = (name: string) => MASKS.path(names.indexOf(name))
  const make = makerOf(definition, env, wordFor, render)
  const uses = usesIn(definition.compose, env)
  const real = make(new Map())
  if (real instanceof Rejected) {
    const blind = uses.reduce<Masks>(
      (masks, use) => masking(masks, use, wordFor(use.name)),
      new Map(),
    )
    throw unnamed(real, make(blind), names)
  }
  let masks: Masks = new Map()
  let made: Json = real
  const notMasked: Use[] = []
  const asWords = new Set<string>()
  for (const use of uses) {
    const { name } = use
    const tries = [wordFor(name), pathFor(name)].map((mask) => masking(masks, use, mask))
    const fill = (json: Json) => filledIn(json, names.indexOf(name), env[name] ?? '')
    const best = closest(tries, make, made, fill)
    if (best === undefined) {
      notMasked.push(use)
      continue
    }
    if (!best.same) asWords.add(name)
    ;({ masks, made } = best)
  }
  const hidden = hideFilledIn(made, textsWith(notMasked, masks, env, wordFor))
  const { value: rendered, masked } = unmasked(hidden, names)
  return { rendered, masked, asWords: [...asWords] }
}

function makerOf(
  definition: Definition,
  env: Environment,
  wordFor: (name: string) => string,
  render: (type: TaskType) => Json,
): Make {
  // What has no value in the file itself is handed on as it is, and is text to every scheduler.
  const inherited = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value ? wordFor(name) : value]),
  )
  return (masks) => {
    const compose = mapTexts(definition.compose, (text, path) =>
      interpolate(text, { ...env, ...masks.get(placeOf(path)) }).replaceAll('$', '$$$$'),
    ) as JsonObject
    try {
      return render(compileTaskType({ ...definition, compose }, inherited))
    } catch (error) {
      if (error instanceof Rejected) return error
      throw error
    }
  }
}

/** Of those that are taken, one by which the value is a text and nothing else, where there is one. */
function closest(
  tries: readonly Masks[],
  make: Make,
  before: Json,
  fill: (made: Json) => Json,
): { readonly masks: Masks; readonly made: Json; readonly same: boolean } | undefined {
  const real = fill(before)
  const taken = tries.flatMap((masks) => {
    const made = make(masks)
    return made instanceof Rejected
      ? []
      : [{ masks, made, same: isDeepStrictEqual(fill(made), real) }]
  })
  return (
    taken.find(({ same }) => same) ?? taken.find(({ made }) => isLike(made, before)) ?? taken[0]
  )
}

function textsWith(
  uses: readonly Use[],
  masks: Masks,
  env: Environment,
  wordFor: (name: string) => string,
): readonly FilledIn[] {
  return [...Map.groupBy(uses, ({ place }) => place)].map(([place, here]) => {
    const words = Object.fromEntries(here.map(({ name }) => [name, wordFor(name)]))
    const [text = ''] = here.map((use) => use.text)
    return {
      masked: interpolate(text, { ...env, ...masks.get(place), ...words }),
      values: new Map(here.map(({ name }) => [wordFor(name), env[name] ?? ''])),
    }
  })
}

/** A variable that is empty hides nothing, and `${NAME:-…}` goes by its being so. */
function usesIn(compose: JsonObject, env: Environment): readonly Use[] {
  const uses: Use[] = []
  mapTexts(compose, (text, path) => {
    const read = new Set<string>()
    interpolate(text, seeing(env, read))
    const told = isForTheDaemon(path) ? [] : [...read].filter((name) => env[name])
    uses.push(...told.map((name) => ({ place: placeOf(path), text, name })))
    return text
  })
  return uses
}

function seeing(env: Environment, read: Set<string>): Environment {
  return new Proxy(env, {
    get: (target, name) => {
      if (typeof name === 'string') read.add(name)
      return Reflect.get(target, name) as string | undefined
    },
  })
}

/** Of what stands in `x-task`, a scheduler is told the arguments and what is its own: the rest are pointers, times and rules. */
function isForTheDaemon(path: readonly string[]): boolean {
  const [top, , block, key] = path
  if (top !== 'services' || block !== 'x-task') return false
  return key === 'arguments' ? path.at(-1) === 'from' : key !== 'nomad'
}

function placeOf(path: readonly string[]): string {
  return path.join('\n')
}

function masking(masks: Masks, { place, name }: Use, mask: string): Masks {
  return new Map(masks).set(place, { ...masks.get(place), [name]: mask })
}

/** Where all values are masked and it is refused in the same words, they are not the values'. */
function unnamed(refused: Rejected, blind: Json | Rejected, names: readonly string[]): Rejected {
  if (blind instanceof Rejected && isLike(blind.message, refused.message)) {
    return new Rejected(blind.code, unmasked(blind.message, names).value)
  }
  const remedy = 'a value that is not shown here may be the reason: see `longhaul check`'
  return new Rejected(refused.code, `the scheduler refuses it; ${remedy}`)
}
