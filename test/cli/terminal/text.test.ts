import assert from 'node:assert/strict'
import { manyLines, oneLine } from '../../../src/cli/terminal/printable.ts'
import { durationText, relativeText } from '../../../src/cli/terminal/time.ts'

describe('text on a terminal', () => {
  it('tells durations in at most two units', () => {
    const cases: readonly (readonly [number, string])[] = [
      [-5, '0ms'],
      [350, '350ms'],
      [1000, '1s'],
      [3_290, '3.2s'],
      [59_999, '59s'],
      [60_000, '1m'],
      [192_000, '3m 12s'],
      [7_500_000, '2h 5m'],
      [273_600_000, '3d 4h'],
    ]
    for (const [ms, text] of cases) assert.equal(durationText(ms), text)
  })

  it('tells times by their distance, before and after', () => {
    const now = Date.UTC(2030, 0, 1)
    const at = (ms: number) => relativeText(new Date(now + ms).toISOString(), now)
    assert.deepEqual(
      [at(0), at(-999), at(5_400), at(-135_000), at(7_300_000)],
      ['now', 'now', 'in 5s', '2m ago', 'in 2h'],
    )
    assert.equal(relativeText('nonsense', now), 'nonsense')
  })

  it('lets nothing of somebody else’s move the cursor or break a line', () => {
    assert.equal(oneLine(' a\r\n\tb\u001b[2Jc\u009b1md\u007f '), 'a b␛[2Jc␡1md␡')
    assert.deepEqual(manyLines('a\tb\nc\u001b[31m\r\n'), ['a\tb', 'c␛[31m'])
  })
})
