import {
  LABEL as COMMON,
  type Labelled,
  labelledOf,
  type Labels,
  labelsOf,
} from '../unit-labels.ts'

/**
 * On the service (what lists are filtered by) and on its containers (what a task's own spec and a node's
 * events carry; a service's labels never reach those).
 */
export const LABEL = { ...COMMON, unit: 'longhaul.unit' } as const

export interface LabelledUnit extends Labelled {
  readonly name: string
}

export function unitLabelsOf(unit: LabelledUnit): Labels {
  return { ...labelsOf(unit), [LABEL.unit]: unit.name }
}

/** The unit that the labels tell of; undefined where they are not ours. */
export function unitOf(labels: Labels | undefined | null): LabelledUnit | undefined {
  const name = labels?.[LABEL.unit]
  const labelled = labels && labelledOf(labels)
  return name === undefined || !labelled ? undefined : { name, ...labelled }
}
