import assert from 'node:assert/strict'
import { TRANSLATIONS, unhonouredOf } from '../../../../../adapters/scheduler/nomad/job/job.ts'
import type { DriverName } from '../../../../../adapters/scheduler/nomad/job/settings.ts'
import { Unhonoured } from '../../../../../adapters/scheduler/nomad/job/unhonoured.ts'
import { atPointer, type Json, type JsonObject } from '../../../../../src/core/json.ts'
import { unitNamed } from '../../../../contract/scheduler-adapter.ts'
import { Rejected } from '../../../../../src/core/errors.ts'
import { freeMappingsIn, freePlaces } from '../../../../support/free-mappings.ts'
import { serviceSchemaKeys } from '../../swarm/schema-keys.ts'
import { jobFor, LEAST, typeOf } from './units.ts'

const TASK = '/TaskGroups/0/Tasks/0'

/** What a service's key becomes: where in the task, or from `/` on in the job, and what is there. */
type Becomes = readonly [
  key: string,
  service: JsonObject,
  at: string,
  expected: Json | undefined,
  nomad?: JsonObject,
]

/** What is refused, and with which words. */
type Refused = readonly [service: JsonObject, says: RegExp, nomad?: JsonObject]

/** Every key that a service may have, under one driver. */
export function translationSuite(
  driver: DriverName,
  table: {
    readonly becomes: readonly Becomes[]
    readonly never: readonly string[]
    readonly refused: readonly Refused[]
    /** Mappings within what the schema leaves free, which the rows must have as well. */
    readonly below?: readonly string[]
  },
): void {
  describe(`a service as a task of the driver ${driver}`, () => {
    for (const [key, service, at, expected, nomad = {}] of table.becomes) {
      it(`has ${JSON.stringify(service)} at ${at} for ${key}`, () => {
        const pointer = at.startsWith('/') ? at : `${TASK}/${at}`
        assert.deepEqual(atPointer(jobFor(driver, service, { nomad }), pointer), expected)
      })
    }

    for (const key of table.never) {
      it(`is refused with ${key}, which asks nothing where it is empty`, () => {
        assert.throws(() => jobFor(driver, at(key, ['x'])), {
          name: 'Unhonoured',
          message: new RegExp(`^${key.replaceAll('.', '\\.')}: .`),
        })
        assert.deepEqual(jobFor(driver, at(key, [])), jobFor(driver))
      })
    }

    for (const [service, says, nomad = {}] of table.refused) {
      it(`is refused with ${JSON.stringify(service)}, and the check says so`, () => {
        assert.throws(
          () => jobFor(driver, service, { nomad }),
          (error: unknown) => {
            assert(error instanceof Unhonoured, String(error))
            assert.match(error.message, says)
            return true
          },
        )
        const type = typeOf({ ...LEAST[driver], ...service }, { driver, ...nomad })
        const told = unhonouredOf(unitNamed('lh-t-1', type.service), {})
        assert.equal(told.filter(({ message }) => says.test(message)).length, 1)
      })
    }

    for (const [, service, , , nomad = {}] of table.becomes) {
      for (const mapping of freeMappingsIn(service)) {
        it(`loses no key of ${mapping.place} in ${JSON.stringify(service)}`, () => {
          const told = outcome(() => jobFor(driver, mapping.with('unread', 'unread-x'), { nomad }))
          assert.match(told, /^refused|unread-x/)
        })
      }
    }

    it('has a test for every mapping of which no schema knows the keys', () => {
      const services = [
        ...table.becomes.map(([, service]) => service),
        ...table.refused.map(([service]) => service),
      ]
      const tested = new Set(
        services.flatMap((service) => freeMappingsIn(service)).map(({ place }) => place),
      )
      const never = (place: string) =>
        table.never.some((key) => `${place}.`.startsWith(`${key}.`) || place.startsWith(`${key}[`))
      assert.deepEqual(
        [...freePlaces(), ...(table.below ?? [])].filter(
          (place) => !tested.has(place) && !never(place),
        ),
        [],
      )
    })

    it('has a test for every key that a service may have', () => {
      const tested = new Set([...table.becomes.map(([key]) => key), ...table.never])
      assert.deepEqual(
        serviceSchemaKeys().filter((key) => !tested.has(key)),
        [],
      )
    })

    it('has a translation for every key that a service may have, and for none beside', () => {
      assert.deepEqual(Object.keys(TRANSLATIONS[driver]).toSorted(), serviceSchemaKeys().toSorted())
    })
  })
}

function outcome(work: () => JsonObject): string {
  try {
    return JSON.stringify(work())
  } catch (error) {
    if (error instanceof Rejected) return `refused: ${error.message}`
    throw error
  }
}

function at(key: string, value: Json): JsonObject {
  const [outer = '', inner] = key.split('.')
  return inner === undefined ? { [outer]: value } : { [outer]: { [inner]: value } }
}
