import { asksNothing } from '../../../../src/core/compose/unread.ts'
import { list, object, text } from '../../../../src/core/compose/reader.ts'
import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { Placed, Translate } from './placed.ts'
import { architectureOf, systemOf } from './platforms.ts'
import { type Path, Unhonoured } from './unhonoured.ts'

/** `deploy.placement`: what Swarm calls a node's, by Nomad's names. */
export const placement: Translate = (value, { path }) => {
  const written = object(value, 'deploy.placement')
  refuse(written, 'preferences', path, 'a job has one allocation, so there is nothing to spread')
  refuse(
    written,
    'max_replicas_per_node',
    path,
    'every attempt is a job of its own: write `x-task.concurrency`',
  )
  const constraints = list(written['constraints']).map((one, i) =>
    constraintOf(text(one, 'deploy.placement.constraints') ?? '', [
      ...path,
      'constraints',
      String(i),
    ]),
  )
  return inJob(constraints)
}

function refuse(written: JsonObject, key: string, path: Path, why: string): void {
  if (!asksNothing(written[key] ?? null)) throw new Unhonoured([...path, key], why)
}

function inJob(constraints: readonly JsonObject[]): Placed {
  return constraints.length === 0 ? {} : { job: { Constraints: constraints } }
}

interface Attribute {
  readonly name: string
  /** What has other names there. */
  readonly translate?: (written: string, path: Path) => string
}

/** Attributes that both have; Nomad's, by Swarm's name. */
const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map([
  ['node.id', { name: '${node.unique.id}' }],
  ['node.hostname', { name: '${attr.unique.hostname}' }],
  ['node.platform.os', { name: '${attr.kernel.name}', translate: systemOf }],
  ['node.platform.arch', { name: '${attr.cpu.arch}', translate: architectureOf }],
])

function constraintOf(written: string, path: Path): JsonObject {
  const parts = /^\s*([\w.-]+)\s*(==|!=)\s*(.+?)\s*$/.exec(written)
  const [, name = '', operator = '', value = ''] = parts ?? []
  const attribute = attributeOf(name)
  if (attribute === undefined) {
    throw new Unhonoured(
      path,
      `Nomad has nothing for '${written}': write \`x-task.nomad.constraints\``,
    )
  }
  return {
    LTarget: attribute.name,
    Operand: operator === '==' ? '=' : '!=',
    RTarget: attribute.translate?.(value, path) ?? value,
  }
}

/** A node's labels are its `meta`. */
function attributeOf(name: string): Attribute | undefined {
  const label = /^node\.labels\.(.+)$/.exec(name)?.[1]
  return label === undefined ? ATTRIBUTES.get(name) : { name: `\${meta.${label}}` }
}

/** `linux/arm64/v8`: no driver is told it in every release, so that a node must be of it. */
export const platform: Translate = (value: Json, { path }) => {
  const written = text(value, 'platform') ?? ''
  const [system = '', machine, variant] = written.split('/')
  const architecture = machine === undefined ? undefined : architectureOf(machine, path)
  if (variant !== undefined && !/^arm64\/v?8$/.test(`${architecture ?? ''}/${variant}`)) {
    throw new Unhonoured(path, `Nomad does not tell nodes apart by the variant of '${written}'`)
  }
  return inJob([
    { LTarget: '${attr.kernel.name}', Operand: '=', RTarget: systemOf(system, path) },
    ...(architecture === undefined
      ? []
      : [{ LTarget: '${attr.cpu.arch}', Operand: '=', RTarget: architecture }]),
  ])
}
