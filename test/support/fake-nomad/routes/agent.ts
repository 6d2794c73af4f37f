import type { Broker } from '../broker.ts'
import { namespaceOf, type Route } from './route.ts'

/** Items by the path of their variable. */
export type Variables = ReadonlyMap<string, Readonly<Record<string, string>>>

/** The agent itself, the stream of its server's events, and the variables that are there. */
export function agentRoutes(broker: Broker, variables: Variables): readonly Route[] {
  return [
    { method: 'GET', path: /^\/v1\/agent\/self$/, handle: () => ({ body: SELF }) },
    { method: 'GET', path: /^\/v1\/agent\/health$/, handle: () => ({ body: HEALTH }) },
    { method: 'GET', path: /^\/v1\/status\/leader$/, handle: () => ({ body: LEADER }) },
    {
      method: 'GET',
      path: /^\/v1\/event\/stream$/,
      handle({ query }, _, response) {
        const topics = query.getAll('topic').map((topic) => topic.split(':')[0] ?? '')
        const index = Number(query.get('index') ?? 0)
        broker.subscribe(response, {
          index,
          topics: new Set(topics.length === 0 ? ['*'] : topics),
          namespace: namespaceOf(query),
        })
        return 'streamed'
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/var\/(.+)$/,
      handle(_, path) {
        const items = variables.get(path)
        if (items === undefined) return { status: 404, body: 'variable not found', index: 1 }
        return { body: { Namespace: 'default', Path: path, Items: items }, index: 1 }
      },
    },
  ]
}

const LEADER = '127.0.0.1:4647'
const HEALTH = { client: { message: 'ok', ok: true }, server: { message: 'ok', ok: true } }
const SELF = {
  config: {
    Region: 'global',
    Datacenter: 'dc1',
    Version: { Version: '1.6.5', VersionMetadata: '', VersionPrerelease: '' },
  },
  member: { Name: 'fake.global', Status: 'alive' },
  stats: {},
}
