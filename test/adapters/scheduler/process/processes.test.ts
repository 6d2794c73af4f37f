import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseStat } from '../../../../adapters/scheduler/process/processes.ts'
import { parseClaim } from '../../../../adapters/scheduler/process/unit-folder.ts'

describe('a line of /proc', () => {
  const rest = '0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 198205 9 9'

  it('is read whatever the command is called', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), fc.nat(), (command, pid) => {
        assert.deepEqual(parseStat(`${pid} (${command}) S 1 ${pid} ${pid} ${rest}\n`), {
          pid,
          state: 'S',
          group: pid,
          session: pid,
          startTime: '198205',
        })
      }),
    )
  })

  it('is none when it is cut short, and a claim that holds it is nobody’s', () => {
    const claim = `boot 7 (sh) S 1 7 7 ${rest}\n`
    assert.equal(parseClaim(claim).by, 'shim')
    for (let length = 0; length < claim.length; length += 1)
      assert.equal(parseClaim(claim.slice(0, length)).by, 'nobody')
    assert.equal(parseClaim('never\n').by, 'adapter')
    assert.equal(parseClaim('neve').by, 'nobody')
  })
})
