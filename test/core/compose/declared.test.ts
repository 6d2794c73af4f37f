import assert from 'node:assert/strict'
import { isExternal, realName } from '../../../src/core/compose/declared.ts'
import { Rejected } from '../../../src/core/errors.ts'
import type { Json } from '../../../src/core/json.ts'

const TABLE: readonly (readonly [
  declaration: Json | undefined,
  name: string,
  external: boolean,
])[] = [
  [undefined, 'key', false],
  [null, 'key', false],
  [{}, 'key', false],
  [{ name: 'real' }, 'real', false],
  [{ name: 5 }, '5', false],
  [{ external: true }, 'key', true],
  [{ external: 'true' }, 'key', true],
  [{ external: false, name: 'real' }, 'real', false],
  [{ external: 'false' }, 'key', false],
  [{ external: null }, 'key', false],
  [{ external: { name: 'older' } }, 'older', true],
  [{ external: { name: 'older' }, name: 'real' }, 'real', true],
]

describe('what the top level declares', () => {
  for (const [declaration, name, external] of TABLE) {
    it(`has its real name and its maker in ${JSON.stringify([declaration])}`, () => {
      assert.equal(realName(declaration, 'key'), name)
      assert.equal(isExternal(declaration), external)
    })
  }

  it('is rejected where its name is none', () => {
    assert.throws(() => realName({ name: ['a'] }, 'key'), Rejected)
  })
})
