import type { Answer, Request } from './routes/route.ts'

/**
 * With ACLs on, a call without the token is refused: 403, but for the event stream's 500, which it was
 * until its answer came before anybody asks (1.11.2). Who leads is told to everybody.
 */
export function denied({ path, headers }: Request, token: string | undefined): Answer | undefined {
  if (token === undefined || path === '/v1/status/leader' || path === '/v1/agent/health') {
    return undefined
  }
  const given = headers['x-nomad-token']
  if (given === token) return undefined
  if (given !== undefined) return { status: 403, body: 'ACL token not found' }
  const body = 'Permission denied'
  if (path !== '/v1/event/stream') return { status: 403, body }
  return { status: 500, body, type: 'application/json' }
}
