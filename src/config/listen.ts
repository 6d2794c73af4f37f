/** Where a server listens. */
export interface Listen {
  /** A name or address, an IPv6 one without its brackets. */
  readonly host: string
  readonly port: number
}

/** `host:port`, an IPv6 address in brackets: `[::1]:8420`. Undefined where it is none. */
export function parseListen(text: string): Listen | undefined {
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text)
  if (found === null) return undefined
  const host = found[1] ?? found[2]
  const port = Number(found[3])
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i.test(host)
}
