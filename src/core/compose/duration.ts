const UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/**
 * A duration as Compose writes it (`1h30m`, `2.5s`, `500ms`), days and weeks beside: in whole
 * milliseconds, or undefined where it is none. A bare number is none: its unit would be a guess.
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(us|ms|[smhdw]))+$/.test(text)) return undefined
  let ms = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|[smhdw])/g)) {
    ms += Number(number) * (UNITS_MS[unit ?? ''] ?? 0)
  }
  const whole = Math.round(ms)
  return Number.isSafeInteger(whole) ? whole : undefined
}
