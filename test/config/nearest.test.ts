import assert from 'node:assert/strict'
import fc from 'fast-check'
import { nearest } from '../../src/config/nearest.ts'

const KNOWN = ['max_attempts', 'backoff', 'rules', 'deadline']

describe('the word that was probably meant', () => {
  it('is found over a slip, a swap and another spelling, and nothing is made of the rest', () => {
    const cases: [string, string | undefined][] = [
      ['max_attemps', 'max_attempts'],
      ['maxAttempts', 'max_attempts'],
      ['MAX-ATTEMPTS', 'max_attempts'],
      ['bakcoff', 'backoff'],
      ['rule', 'rules'],
      ['colour', undefined],
      ['', undefined],
    ]
    for (const [word, meant] of cases) assert.equal(nearest(word, KNOWN), meant, word)
  })

  it('is the word itself where it is known', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KNOWN), (word) => {
        assert.equal(nearest(word, KNOWN), word)
      }),
    )
  })
})
