import Type from 'typebox'
import type { HttpDeps } from '../deps.ts'
import { json, type Route, route } from '../route.ts'

const TaskTypeView = Type.Object({
  name: Type.String(),
  definition: Type.String({ description: "The hash of the type's definition." }),
  command: Type.Optional(Type.String({ description: 'The bus command that asks for it.' })),
  warnings: Type.Array(Type.String(), {
    description: 'What the configured scheduler cannot honour.',
  }),
  input: Type.Unsafe<unknown>({ type: 'object', description: 'JSON Schema of the input.' }),
})

export function taskTypesRoute({
  taskTypes,
  warnings,
}: Pick<HttpDeps, 'taskTypes' | 'warnings'>): Route {
  return route({
    method: 'GET',
    path: '/v1/task-types',
    operation: 'listTaskTypes',
    tag: 'task types',
    summary: 'List the task types as the files say them now',
    responses: {
      200: {
        description: 'All of them.',
        schema: Type.Object({ taskTypes: Type.Array(TaskTypeView) }),
      },
    },
    handle: () =>
      json(200, {
        taskTypes: taskTypes.all().map(({ type }) => ({
          name: type.name,
          definition: type.hash,
          ...(type.command !== undefined && { command: type.command }),
          warnings: warnings(type),
          input: type.input,
        })),
      }),
  })
}
