import assert from 'node:assert/strict'
import { longMount } from '../../../src/core/compose/mount.ts'
import type { JsonObject } from '../../../src/core/json.ts'

const refused = (why: string) => new RangeError(why)

const TABLE: readonly (readonly [written: string, form: JsonObject])[] = [
  ['/anonymous', { type: 'volume', target: '/anonymous' }],
  ['named:/c', { type: 'volume', source: 'named', target: '/c' }],
  ['/h:/c', { type: 'bind', source: '/h', target: '/c' }],
  ['./h:/c', { type: 'bind', source: './h', target: '/c' }],
  ['~/h:/c', { type: 'bind', source: '~/h', target: '/c' }],
  ['/h:/c:ro', { type: 'bind', source: '/h', target: '/c', read_only: true }],
  ['/h:/c:rw,cached', { type: 'bind', source: '/h', target: '/c' }],
  [
    '/h:/c:ro,rslave',
    { type: 'bind', source: '/h', target: '/c', read_only: true, bind: { propagation: 'rslave' } },
  ],
  ['named:/c:nocopy', { type: 'volume', source: 'named', target: '/c', volume: { nocopy: true } }],
]

describe('a mount in its short form', () => {
  for (const [written, form] of TABLE) {
    it(`is, as ${written}, the same in the long one`, () => {
      assert.deepEqual(longMount(written, refused), form)
    })
  }

  it('is refused with what it holds and nobody knows', () => {
    const of = (written: string) => () => longMount(written, refused)
    assert.throws(of('/h:/c:odd'), /^RangeError: there is no mount option 'odd'$/)
    assert.throws(of('a:b:c:d'), /^RangeError: 'a:b:c:d' is not source:\/target:options$/)
  })
})
