import Type from 'typebox'
import type { HttpDeps } from '../deps.ts'
import type { EventBell } from '../event-bell.ts'
import { openApiDocument } from '../openapi.ts'
import { json, type Route, route } from '../route.ts'
import { deadLetterRoutes } from './dead-letters.ts'
import { eventsRoute } from './events.ts'
import { healthRoutes } from './health.ts'
import { messagesRoute } from './messages.ts'
import { taskControlRoutes } from './task-control.ts'
import { taskLogsRoute } from './task-logs.ts'
import { taskTypesRoute } from './task-types.ts'
import { taskRoutes } from './tasks.ts'

/** Every call of the API. */
export function allRoutes(deps: HttpDeps & { readonly bell: EventBell }): readonly Route[] {
  const routes: Route[] = [
    ...taskRoutes(deps),
    ...taskControlRoutes(deps),
    taskLogsRoute(deps),
    taskTypesRoute(deps),
    messagesRoute(deps),
    eventsRoute(deps),
    ...deadLetterRoutes(deps),
    ...healthRoutes(deps),
  ]
  const document = route({
    method: 'GET',
    path: '/openapi.json',
    operation: 'openApi',
    tag: 'operations',
    summary: 'This document',
    responses: {
      200: { description: 'OpenAPI 3.1.', schema: Type.Unsafe<unknown>({ type: 'object' }) },
    },
    handle: () => json(200, whole),
  })
  const all = [...routes, document]
  const whole = openApiDocument(all, {
    version: deps.version,
    secured: deps.token !== undefined,
  })
  return all
}
