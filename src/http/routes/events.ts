import Type from 'typebox'
import type { HttpDeps } from '../deps.ts'
import type { EventBell } from '../event-bell.ts'
import { eventStream } from '../event-stream.ts'
import { type Route, route } from '../route.ts'

export function eventsRoute(deps: Pick<HttpDeps, 'events'> & { readonly bell: EventBell }): Route {
  return route({
    method: 'GET',
    path: '/v1/events',
    operation: 'followEvents',
    tag: 'events',
    summary: 'Follow the events as server-sent events',
    description:
      'Each has `id:` (a cursor), `event:` (its name) and `data:`, JSON with `message`, `correlationId`, `attributes` and `stickyAttributes`. The comment `ready` comes once nothing that is written from then on can be missed. Where events after the cursor have been purged, `longhaul/gap` comes first. Every event comes at least once.',
    headers: { 'Last-Event-ID': 'Goes on after this cursor; before `after`.' },
    query: Type.Object(
      {
        type: Type.Optional(Type.String({ description: 'Only of this task type.' })),
        name: Type.Optional(Type.String({ description: 'Only events of this name.' })),
        task: Type.Optional(Type.String({ description: 'Only of this task: `<type>/<id>`.' })),
        after: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Goes on after this cursor; `0` is the oldest kept. Absent: from now on.',
          }),
        ),
      },
      { additionalProperties: false },
    ),
    responses: {
      200: {
        description: 'The stream, for as long as the caller stays.',
        schema: Type.String(),
        contentType: 'text/event-stream',
      },
    },
    handle: async ({ query: { after, ...filters }, headers, leaving }) => {
      const last = headers['last-event-id']
      const from = typeof last === 'string' && last !== '' ? last : after
      const query = { ...filters, ...(from !== undefined && { after: from }) }
      const chunks = await eventStream(deps, query, leaving)
      return { kind: 'stream', contentType: 'text/event-stream; charset=utf-8', chunks }
    },
  })
}
