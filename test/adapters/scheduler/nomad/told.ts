import type { Json, JsonObject } from '../../../../src/core/json.ts'
import type { Names, ToldEvent, ToldFrame } from './likeness.ts'

/** A stream as it can be compared with another: without what is told by chance of timing. */
export interface Told {
  /** Each object's states as they were told, by its name. */
  readonly objects: Readonly<Record<string, readonly Json[]>>
  /** The frames of what the servers have done themselves, in order; a client's reports may come between. */
  readonly frames: readonly Json[]
}

/** The frames that tell something in any case. */
export function tellingFrames(
  frames: readonly ToldFrame[],
  isSeen: (event: ToldEvent) => boolean,
): readonly (ToldFrame & { readonly Events: readonly ToldEvent[] })[] {
  return frames.flatMap((frame) => {
    const Events = (frame.Events ?? []).filter((event) => isTelling(event) && isSeen(event))
    return Events.length === 0 ? [] : [{ ...frame, Events }]
  })
}

/**
 * What a client reports within one beat is told together: between the start and the end of a task some
 * states are seen or not. Of the nodes the frames come by themselves.
 */
function isTelling(event: ToldEvent): boolean {
  if (event.Topic === 'Node') return false
  const { status, last } = reportedIn(event) ?? {}
  if (status === 'pending') return false
  return status !== 'running' || !['Killing', 'Terminated'].includes(last ?? '')
}

/** What a client's report says of an allocation. */
export function reportedIn({
  Topic,
  Type,
  Payload,
}: ToldEvent): { readonly status: string; readonly last: string } | undefined {
  if (Topic !== 'Allocation' || Type !== 'AllocationUpdated') return undefined
  const { ClientStatus, TaskStates } = Payload['Allocation'] as unknown as {
    readonly ClientStatus: string
    readonly TaskStates: Readonly<Record<string, { readonly Events: readonly { Type: string }[] }>>
  }
  const [task] = Object.values(TaskStates)
  return { status: ClientStatus, last: task?.Events.at(-1)?.Type ?? '' }
}

export function toldBy(
  frames: readonly ToldFrame[],
  names: Names,
  how: {
    readonly isSeen: (event: ToldEvent) => boolean
    /** An object as it can be compared. */
    readonly view: (object: Json) => Json
  },
): Told {
  const telling = tellingFrames(frames, how.isSeen)
  const nodes = frames
    .flatMap(({ Events }) => Events ?? [])
    .filter(({ Topic, Type }) => Topic === 'Node' && Type !== 'AllocationUpdated')
  const said = ({ Type, Payload }: ToldEvent): JsonObject => ({
    Type,
    Payload: how.view(Payload),
  })
  const events = [...telling.flatMap(({ Events }) => Events), ...nodes]
  const byName = Map.groupBy(events, ({ Topic, Key }) =>
    Topic === 'Job' ? `Job ${Key}` : names.of(Key),
  )
  const objects = [...byName].map(([name, own]) => [name, withoutRepeats(own.map(said))] as const)
  const own = telling.flatMap(({ Index, Events }) => {
    const servers = Events.filter(({ Topic, Type }) => isOfServers(Topic, Type))
    return servers.length === 0 ? [] : [{ Index, servers }]
  })
  return {
    objects: Object.fromEntries(objects.toSorted(([a], [b]) => a.localeCompare(b))),
    frames: own.map(({ Index, servers }, i) => ({
      ofOneIndexWithTheLast: i > 0 && own[i - 1]?.Index === Index,
      events: servers.map(({ Topic, Type, Key }) => `${Type}: ${Topic} ${names.of(Key)}`).sort(),
    })),
  }
}

function isOfServers(topic: string, type: string): boolean {
  return type !== 'AllocationUpdated' || topic === 'Evaluation'
}

/** A node is told of again and again while it is as it was. */
function withoutRepeats(states: readonly Json[]): readonly Json[] {
  const text = states.map((state) => JSON.stringify(state))
  return states.filter((_, i) => i === 0 || text[i] !== text[i - 1])
}
