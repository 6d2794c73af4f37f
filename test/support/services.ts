/**
 * Goes on where a test has what it needs. Otherwise the test is skipped and prints why; where `CI` is
 * set everything must be there, and it fails.
 */
export function requireOrSkip(
  context: Mocha.Context,
  what: string,
  ok: boolean,
  why: string,
): void {
  if (ok) return
  const sentence = `no ${what}: ${why}`
  if (process.env['CI']) throw new Error(`${sentence} (where CI is set, nothing is skipped)`)
  skip(context, sentence)
}

/** For what not even CI has: skipped, and said why. */
export function skipUnless(context: Mocha.Context, what: string, ok: boolean, why: string): void {
  if (!ok) skip(context, `no ${what}: ${why}`)
}

function skip(context: Mocha.Context, sentence: string): never {
  process.stderr.write(`    skipped, ${sentence}\n`)
  return context.skip()
}
