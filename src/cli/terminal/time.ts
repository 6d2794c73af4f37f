/** How long, in at most two units: `350ms`, `3.2s`, `42s`, `3m 12s`, `2h 5m`, `3d 4h`. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`
  const seconds = Math.floor(ms / 1000)
  if (seconds < 10) return `${(Math.floor(ms / 100) / 10).toFixed(1).replace(/\.0$/, '')}s`
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return twoUnits(minutes, 'm', seconds % 60, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return twoUnits(hours, 'h', minutes % 60, 'm')
  return twoUnits(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit} ${small}${smallUnit}`
}

/** `in 5s`, `now`, `2m ago`: in one unit, as nobody reads more. */
export function relativeText(iso: string, nowMs: number): string {
  const ms = Date.parse(iso) - nowMs
  if (Number.isNaN(ms)) return iso
  const [amount] = durationText(Math.floor(Math.abs(ms) / 1000) * 1000).split(' ')
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `in ${amount ?? ''}` : `${amount ?? ''} ago`
}
