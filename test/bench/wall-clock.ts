/**
 * Milliseconds of the wall clock with their fractions, which `Date.now` cuts off: the programs that are
 * measured tell theirs in microseconds.
 */
export function wallMs(): number {
  return ORIGIN + performance.now()
}

/** Seen at a moment when the clock has just ticked. */
const ORIGIN = ((): number => {
  const before = Date.now()
  while (Date.now() === before);
  return Date.now() - performance.now()
})()
