import { isJsonObject, type Json } from '../../../../src/core/json.ts'
import { pageOf } from '../lists.ts'
import { nodeStub, type NodeLife } from '../node-life.ts'
import type { State } from '../state.ts'
import type { Answer, Route } from './route.ts'

export function nodeRoutes(state: State, nodes: NodeLife): readonly Route[] {
  return [
    {
      method: 'GET',
      path: /^\/v1\/nodes$/,
      handle({ query }) {
        const { page, ...rest } = pageOf([...state.nodes.values()], query, ({ ID }) => [ID])
        return { body: page.map(nodeStub), index: state.last.nodes, ...rest }
      },
    },
    {
      method: 'PUT',
      path: /^\/v1\/node\/([^/]+)\/drain$/,
      handle: ({ body }, id) =>
        state.nodes.has(id) ? drained(nodes, id, body) : { status: 404, body: 'node not found' },
    },
    {
      method: 'GET',
      path: /^\/v1\/node\/pool\/(.+)$/,
      handle: (_, name) =>
        name === 'default'
          ? { body: { Name: name, CreateIndex: 1, ModifyIndex: 1 }, index: 1 }
          : { status: 404, body: 'node pool not found', index: 1 },
    },
  ]
}

function drained(nodes: NodeLife, id: string, body: Json | undefined): Answer {
  const { DrainSpec: spec, MarkEligible } = isJsonObject(body) ? body : {}
  if (isJsonObject(spec)) {
    const index = nodes.drain(id, Number(spec['Deadline'] ?? 0) / 1_000_000)
    const NodeModifyIndex = index
    return {
      body: { EvalCreateIndex: 0, EvalIDs: null, Index: index, NodeModifyIndex },
      written: index,
    }
  }
  const { index, ids } = nodes.eligible(id, MarkEligible === true)
  const of = { EvalCreateIndex: ids.length > 0 ? index + 1 : 0, EvalIDs: ids }
  return { body: { ...of, Index: index, NodeModifyIndex: index }, written: index }
}
