import Type from 'typebox'
import type { HttpDeps } from '../deps.ts'
import { Problem, problem } from '../problem.ts'
import { json, type Route, route } from '../route.ts'
import { METRICS_TYPE } from '../metrics.ts'

const Checks = Type.Array(
  Type.Object({
    name: Type.String(),
    ok: Type.Boolean(),
    message: Type.String(),
    remedy: Type.Optional(Type.String({ description: 'What to do about it.' })),
  }),
)

const tag = 'operations'

export function healthRoutes({
  ready,
  metrics,
}: Pick<HttpDeps, 'ready' | 'metrics'>): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/healthz',
      operation: 'health',
      tag,
      summary: 'Whether the process is alive',
      open: true,
      responses: {
        200: { description: 'It is.', schema: Type.Object({ status: Type.Literal('alive') }) },
      },
      handle: () => json(200, { status: 'alive' }),
    }),

    route({
      method: 'GET',
      path: '/readyz',
      operation: 'readiness',
      tag,
      summary: 'Whether everything that it needs answers',
      open: true,
      responses: {
        200: {
          description: 'All is well.',
          schema: Type.Object({ status: Type.Literal('ready'), checks: Checks }),
        },
        503: {
          description: 'Something does not answer.',
          schema: Type.Object({ ...Problem.properties, checks: Type.Optional(Checks) }),
        },
      },
      handle: async () => {
        const checks = await ready()
        const bad = checks.filter(({ ok }) => !ok)
        if (bad.length === 0) return json(200, { status: 'ready', checks })
        const words = bad.map(({ name, message }) => `${name}: ${message}`).join('; ')
        return { kind: 'problem', problem: problem(503, 'not-ready', words), more: { checks } }
      },
    }),

    route({
      method: 'GET',
      path: '/metrics',
      operation: 'metrics',
      tag,
      summary: 'Metrics, in the text format of Prometheus',
      responses: {
        200: { description: 'All of them.', schema: Type.String(), contentType: 'text/plain' },
      },
      handle: async () => ({
        kind: 'text',
        contentType: METRICS_TYPE,
        body: await metrics.expose(),
      }),
    }),
  ]
}
