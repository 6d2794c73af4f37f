/** Who asks, as the task remembers it: the user's name, where there is one. */
export function callerOf(env: Readonly<Record<string, string | undefined>>): {
  readonly by?: string
} {
  const name = [env['USER'], env['LOGNAME']].find((one) => one !== undefined && one !== '')
  return name === undefined ? {} : { by: name.slice(0, 200) }
}
