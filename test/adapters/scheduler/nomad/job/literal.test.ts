import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  configurationLiteral,
  environmentLiteral,
  LITERAL_META,
} from '../../../../../adapters/scheduler/nomad/job/literal.ts'
import { atPointer } from '../../../../../src/core/json.ts'
import { jobFor } from './units.ts'

/** What a task knows on its node: Nomad would fill in any of these. */
const KNOWN: Readonly<Record<string, string>> = {
  NOMAD_META_longhaul_dollar: LITERAL_META.longhaul_dollar,
  NOMAD_META_longhaul_percent: LITERAL_META.longhaul_percent,
  'node.class': 'filled in',
  'attr.cpu.arch': 'filled in',
  HOME: 'filled in',
  a: 'filled in',
}

/** helper/args of Nomad: each variable that is known once, the rest as it was. */
function nomadReplaces(value: string): string {
  return value.replaceAll(
    /\$\{([a-zA-Z0-9_\-.]+)\}/g,
    (whole, name: string) => KNOWN[name] ?? whole,
  )
}

/**
 * A template of HCL as far as our own needs it: `${name}` is filled in, `$${` and `%%{` are escapes, and
 * anything else that begins a template is more than ours ever hold. The whole of HCL's own parser gave
 * the same for 200,000 such values.
 */
function hclEvaluates(template: string): string {
  return template.replaceAll(/\$\$\{|%%\{|\$\{[^}]*\}?|%\{/g, (found) => {
    if (found === '$${' || found === '%%{') return found.slice(1)
    const name = /^\$\{(NOMAD_META_longhaul_\w+)\}$/.exec(found)?.[1]
    assert(name !== undefined, `a template that is none of ours: ${template}`)
    return KNOWN[name] ?? ''
  })
}

const parts = fc.constantFrom(
  ...['${', '%{', '}', '$', '%', '{', '$${', '%%{', '${HOME}', '${attr.cpu.arch}', '%{ if a }'],
  ...['a', ' ', '"', '\\', '\n', '${NOMAD_META_longhaul_dollar}', '👍'],
)
const values = fc.string({ unit: parts, maxLength: 12 })

describe('a value of a task in a Nomad job', () => {
  it('is what its program sees in its environment, whatever Nomad would fill in', () => {
    fc.assert(
      fc.property(values, (value) => {
        assert.equal(nomadReplaces(environmentLiteral(value)), value)
      }),
    )
  })

  it('is what its program is given as an argument, whatever HCL would make of it', () => {
    fc.assert(
      fc.property(values, (value) => {
        const { args } = configurationLiteral({ args: [value] }, ['command']) as { args: string[] }
        assert.equal(hclEvaluates(args[0] ?? ''), value)
      }),
    )
  })

  it('is written as it is where nothing of it would be filled in', () => {
    for (const value of ['', '100%', '$5', 'a$$b', '{}', '{"$schema":"x"}', '%5B']) {
      assert.equal(environmentLiteral(value), value)
      assert.deepEqual(configurationLiteral({ args: [value] }, []), { args: [value] })
    }
    // No name that Nomad could know.
    assert.equal(environmentLiteral('${a b}'), '${a b}')
  })

  it('is escaped in the keys of a configuration, too', () => {
    assert.deepEqual(configurationLiteral({ labels: [{ '${a}': '%{' }] }, []), {
      labels: [{ '${NOMAD_META_longhaul_dollar}{a}': '${NOMAD_META_longhaul_percent}{' }],
    })
  })

  it('brings the signs that it is escaped with, and only then', () => {
    const meta = (service: object) =>
      atPointer(jobFor('raw_exec', service as never), '/TaskGroups/0/Tasks/0/Meta')
    assert.equal(meta({ environment: { A: '$${' } }), undefined)
    assert.deepEqual(meta({ environment: { A: '$${HOME}' } }), LITERAL_META)
    assert.deepEqual(meta({ command: ['run', '$${x'] }), LITERAL_META)
  })

  it('is refused as an argument where HCL would make another of it', () => {
    const decomposed = 'caf\u0065\u0301.mp4'
    assert.throws(() => jobFor('docker', { command: [decomposed] }), {
      name: 'Unhonoured',
      message: /^command: "cafe\u0301\.mp4" is not in Unicode's form NFC/,
    })
    const job = jobFor('docker', { environment: { A: decomposed } })
    assert.equal(atPointer(job, '/TaskGroups/0/Tasks/0/Env/A'), decomposed)
    assert.throws(() => jobFor('docker', { command: ['a\0'] }), /NUL/)
    assert.throws(() => jobFor('docker', { environment: { A: '\0' } }), /NUL/)
  })
})
