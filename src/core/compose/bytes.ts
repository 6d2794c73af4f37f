const POWERS: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4 }

/**
 * An amount of bytes as Compose writes it: a number, or a number with `b`, `k`, `m`, `g`, `t` (also `kb`
 * and `kib`, in either case), each 1,024 times the one before. Undefined where it is none.
 */
export function parseBytes(value: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?) *(?:([bkmgt])(?:i?b)?)?$/i.exec(String(value))
  if (match === null) return undefined
  const bytes = Math.floor(Number(match[1]) * 1024 ** (POWERS[(match[2] ?? '').toLowerCase()] ?? 0))
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
