import assert from 'node:assert/strict'
import { Rejected } from '../../src/core/errors.ts'
import { inputValidator, schemaProblems } from '../../src/core/input-schema.ts'

describe('the schema of an input', () => {
  it('is compiled once for the same schema, however its keys are sorted', () => {
    const validator = inputValidator({ type: 'object', required: ['a'] })
    assert.equal(inputValidator({ required: ['a'], type: 'object' }), validator)
  })

  it('may bear the same $id as another', () => {
    const strings = inputValidator({ $id: 'https://example.com/x', type: 'string' })
    const numbers = inputValidator({ $id: 'https://example.com/x', type: 'number' })
    assert.deepEqual([strings('a'), numbers(1)], [[], []])
  })

  it('names what is too much and what is allowed', () => {
    const validate = inputValidator({
      additionalProperties: false,
      properties: { size: { enum: ['s', 'm'] }, v: { const: 1 } },
    })
    assert.deepEqual(validate({ size: 'l', v: 2, x: 1 }), [
      { pointer: '', message: "must not have the property 'x'" },
      { pointer: '/size', message: 'must be equal to one of the allowed values: ["s","m"]' },
      { pointer: '/v', message: 'must be 1' },
    ])
  })

  it('never fills in defaults, turns types or takes away', () => {
    const input = { n: '1', x: 2 }
    inputValidator({
      additionalProperties: false,
      properties: { n: { type: 'number' }, d: { default: 1 } },
    })(input)
    assert.deepEqual(input, { n: '1', x: 2 })
  })

  it('tells of a bad input in at most a hundred lines', () => {
    const validate = inputValidator({ items: { type: 'string' } })
    assert.equal(validate(Array.from({ length: 5_000 }, (_, i) => i)).length, 100)
  })

  it('that is wrong is rejected, and told where it is wrong', () => {
    const schema = { properties: { a: { type: 'strng' } } }
    assert.throws(() => inputValidator(schema), Rejected)
    assert.deepEqual(
      schemaProblems(schema).map(({ pointer }) => pointer),
      ['/properties/a/type'],
    )
    const pattern = { properties: { a: { items: { pattern: '[' } } } }
    assert.equal(schemaProblems(pattern)[0]?.pointer, '/properties/a/items/pattern')
    assert.deepEqual(schemaProblems({ type: 'object' }), [])
  })
})
