import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseBytes } from '../../../src/core/compose/bytes.ts'
import { parseDuration } from '../../../src/core/compose/duration.ts'
import { interpolate, interpolateDeep } from '../../../src/core/compose/interpolate.ts'
import { shellWords } from '../../../src/core/compose/shell-words.ts'
import { Rejected } from '../../../src/core/errors.ts'

describe('a duration', () => {
  it('is read as Compose writes it, with days and weeks beside', () => {
    const cases: [string, number | undefined][] = [
      ['5s', 5_000],
      ['1h30m', 5_400_000],
      ['2.5s', 2_500],
      ['500ms', 500],
      ['30d', 2_592_000_000],
      ['1w', 604_800_000],
      ['0s', 0],
      ['5', undefined],
      ['', undefined],
      ['-1s', undefined],
      ['1 s', undefined],
      ['s', undefined],
      ['99999999999999w', undefined],
    ]
    for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text)
  })

  it('is the sum of its parts', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(59), fc.nat(59), (h, m, s) => {
        assert.equal(parseDuration(`${h}h${m}m${s}s`), ((h * 60 + m) * 60 + s) * 1000)
      }),
    )
  })
})

describe('an amount of bytes', () => {
  it('is read as Compose writes it', () => {
    const cases: [string | number, number | undefined][] = [
      [1024, 1024],
      ['16k', 16_384],
      ['2G', 2 ** 31],
      ['512m', 2 ** 29],
      ['1.5g', 1.5 * 2 ** 30],
      ['64KB', 65_536],
      ['1GiB', 2 ** 30],
      ['7b', 7],
      ['x', undefined],
      ['-1', undefined],
      ['', undefined],
    ]
    for (const [text, bytes] of cases) assert.equal(parseBytes(text), bytes, String(text))
  })
})

describe('a variable', () => {
  const env = { SET: 'value', EMPTY: '' }
  it('is filled in as Compose does', () => {
    const cases: [string, string][] = [
      ['a$SET.b', 'avalue.b'],
      ['${SET}', 'value'],
      ['${EMPTY}', ''],
      ['${UNSET:-x}', 'x'],
      ['${EMPTY:-x}', 'x'],
      ['${EMPTY-x}', ''],
      ['${UNSET-}', ''],
      ['${UNSET:-${SET}}', 'value'],
      ['${UNSET:-${ALSO:-$SET}!}', 'value!'],
      ['${SET:+y}', 'y'],
      ['${UNSET+y}', ''],
      ['${SET:?no}', 'value'],
      ['${toString-x}', 'x'],
      ['${constructor:+y}', ''],
      ['$$SET $${SET}', '$SET ${SET}'],
    ]
    for (const [text, filled] of cases) assert.equal(interpolate(text, env), filled, text)
  })

  it('that is not set and has no default is an error that names it', () => {
    assert.throws(() => interpolate('a ${UNSET}', env), /the variable UNSET is not set/)
    assert.throws(() => interpolate('$UNSET', env), Rejected)
    assert.throws(() => interpolate('$valueOf', env), Rejected)
    assert.throws(() => interpolate('${EMPTY:?say which}', env), /EMPTY is not set: say which/)
    for (const bad of ['$', '${', '${}', '${SET', '$1', '${SET:x}'])
      assert.throws(() => interpolate(bad, env), /is no variable/, bad)
  })

  it('cannot bring in another variable, and a text of doubled dollars comes out as it was', () => {
    assert.equal(interpolate('${SET}', { SET: '${OTHER}' }), '${OTHER}')
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.equal(interpolate(text.replaceAll('$', '$$$$'), {}), text)
      }),
    )
  })

  it('is filled in in every value and in no key', () => {
    assert.deepEqual(interpolateDeep({ $SET: ['$SET', 1, null, { a: '$SET' }] }, env), {
      $SET: ['value', 1, null, { a: 'value' }],
    })
  })
})

describe('a command as one string', () => {
  it('is split as a shell splits it, and nothing in it is expanded', () => {
    assert.deepEqual(shellWords(`encode --title "a b" 'c "d"' e\\ f "" $HOME *`), [
      'encode',
      '--title',
      'a b',
      'c "d"',
      'e f',
      '',
      '$HOME',
      '*',
    ])
    assert.deepEqual(shellWords(' '), [])
    assert.equal(shellWords('say "what'), undefined)
  })
})
