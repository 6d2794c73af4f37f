import { Rejected } from '../../../../src/core/errors.ts'
import type { TaskType } from '../../../../src/core/task-type.ts'
import { grantsOf } from '../job/grants.ts'
import { SETTINGS_PATH, settingsOf } from '../job/settings.ts'
import { sampleOf } from '../warnings.ts'

/** Something that must be in Nomad before a task can start, and where its file says it. */
export type Need = { readonly path: readonly string[] } & (
  | { readonly kind: 'variable'; readonly name: string; readonly item: string }
  | { readonly kind: 'node pool' | 'driver'; readonly name: string }
)

export function needsOf(type: TaskType): readonly Need[] {
  try {
    const settings = settingsOf(type.service)
    const { driver, nodePool } = settings
    const subject = { unit: sampleOf(type), settings, facts: {} }
    return [
      { kind: 'driver', name: driver, path: [...SETTINGS_PATH, 'driver'] },
      ...(nodePool === undefined
        ? []
        : [{ kind: 'node pool', name: nodePool, path: [...SETTINGS_PATH, 'node_pool'] } as const]),
      ...(['secrets', 'configs'] as const).flatMap((kind) =>
        grantsOf(type.service.compose[kind] ?? null, kind, { ...subject, path: [kind] }).map(
          ({ path: name, item }, i): Need => ({
            kind: 'variable',
            name,
            item,
            path: [kind, String(i)],
          }),
        ),
      ),
    ]
  } catch (error) {
    // What cannot be read is refused elsewhere, with the reason.
    if (error instanceof Rejected) return []
    throw error
  }
}
