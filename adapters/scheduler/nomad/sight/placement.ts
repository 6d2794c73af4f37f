import type { EvaluationView, PlacementView } from '../views.ts'

/**
 * Why the latest evaluation found no node. Later tries that come to nothing change none of this and
 * are not told (nomad/blocked_evals.go): the word stands until a place is found.
 */
export function placementWord(evaluations: readonly EvaluationView[]): string | undefined {
  const latest = evaluations.toSorted((a, b) => b.ModifyIndex - a.ModifyIndex)
  for (const { FailedTGAllocs } of latest) {
    const [failed] = Object.values(FailedTGAllocs ?? {})
    if (failed !== undefined) return `no suitable node: ${reasonsOf(failed)}`
  }
  return latest.map(({ StatusDescription }) => StatusDescription ?? '').find((text) => text !== '')
}

function reasonsOf(failed: PlacementView): string {
  const counts = (found: PlacementView['ConstraintFiltered'], words: (name: string) => string) =>
    Object.entries(found ?? {}).map(([name, nodes]) => `${words(name)} on ${nodesOf(nodes)}`)
  const reasons = [
    ...counts(failed.ConstraintFiltered, (name) => `constraint ${name} does not hold`),
    ...counts(failed.ClassFiltered, (name) => `the node class ${name} is filtered`),
    ...counts(failed.DimensionExhausted, (name) => `not enough ${name}`),
    ...counts(failed.ClassExhausted, (name) => `the node class ${name} is full`),
    ...(failed.QuotaExhausted ?? []).map((name) => `the quota is used up (${name})`),
  ]
  if (reasons.length > 0) return reasons.join('; ')
  const evaluated = failed.NodesEvaluated ?? 0
  return evaluated === 0
    ? 'no node of its datacenters and its node pool is ready and eligible'
    : `none of ${nodesOf(evaluated)} will do`
}

function nodesOf(count: number): string {
  return `${count} node${count === 1 ? '' : 's'}`
}
