import { type Document, isPair, isScalar, visit } from 'yaml'

/** `services.*.secrets[0].mode`, with the numbers of list items as they come. */
const MODES = [
  /^services\.[^.]+\.(secrets|configs)\.mode$/,
  /^services\.[^.]+\.volumes\.tmpfs\.mode$/,
]

/** YAML 1.1's way of writing an octal number, which Compose files are read by, and 1.2's. */
const OCTAL = /^0o?([0-7]+)$/

/**
 * Keeps the modes of files as octal text: `0440` is a decimal number to YAML 1.2, by which everything
 * else is read.
 */
export function keepModesOctal(document: Document): void {
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key !== 'value' || typeof node.value !== 'number') return
      const names = ancestors.flatMap((one) =>
        isPair(one) && isScalar(one.key) ? [String(one.key.value)] : [],
      )
      const digits = OCTAL.exec(node.source ?? '')?.[1]
      if (digits === undefined || !MODES.some((path) => path.test(names.join('.')))) return
      node.value = `0${digits}`
    },
  })
}
