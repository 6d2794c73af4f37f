/** Whether it is aborted by now: TypeScript takes the property, once looked at, for a constant. */
export function aborted(signal: AbortSignal): boolean {
  return signal.aborted
}
