import assert from 'node:assert/strict'
import fc from 'fast-check'
import { metaOf, unitOf } from '../../../../adapters/scheduler/nomad/identity.ts'
import { LABEL } from '../../../../adapters/scheduler/unit-labels.ts'
import { unitNamed } from '../../../contract/scheduler-adapter.ts'

const unit = unitNamed('lh-t-1')

describe('the identity of a Nomad job', () => {
  it('is in its Meta, whole', () => {
    const found = unitOf({ ID: unit.name, Meta: metaOf(unit) })
    assert.deepEqual(found, {
      name: unit.name,
      identity: unit.identity,
      logTailBytes: unit.logTailBytes,
    })
  })

  it('holds nothing that Nomad would fill in, and any id all the same', () => {
    const parts = fc.constantFrom('${', '}', '$', '%', '24', '25', 'a', '/', '"', '\n', 'é')
    fc.assert(
      fc.property(fc.string({ unit: parts }), (id) => {
        const taskId = `t/${id}`
        const Meta = metaOf({ ...unit, identity: { ...unit.identity, taskId } })
        assert(!Object.values(Meta).some((value) => value.includes('$')))
        assert.equal(unitOf({ ID: unit.name, Meta })?.identity.taskId, taskId)
      }),
    )
  })

  it('is as it was written where there is nothing to escape, so that lists can be filtered by it', () => {
    const Meta = metaOf({ ...unit, identity: { ...unit.identity, taskId: 'encode-video/42' } })
    assert.equal(Meta[LABEL.taskId], 'encode-video/42')
  })

  it('is nobody’s of ours where a part of it is missing or no number', () => {
    const whole = metaOf(unit)
    for (const key of Object.values(LABEL)) {
      if (key === LABEL.logTailBytes) continue
      const { [key]: _, ...rest } = whole
      assert.equal(unitOf({ ID: unit.name, Meta: rest }), undefined, key)
    }
    assert.equal(unitOf({ ID: unit.name, Meta: { ...whole, [LABEL.run]: 'x' } }), undefined)
    assert.equal(unitOf({ ID: unit.name }), undefined)
  })
})
