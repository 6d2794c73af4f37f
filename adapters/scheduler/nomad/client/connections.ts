import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildConnector, Pool } from 'undici'
import type { NomadTarget } from './target.ts'

/**
 * Nomad lets one address have 100 connections (`http_max_conns_per_client`): two daemons behind one
 * address stay below. Whatever may take long has its own, so that nobody who reads logs holds up a call
 * or the events, and no node that does not answer for them the calls.
 */
const MOST = { calls: 16, events: 2, logs: 24, tails: 6 } as const

export type Purpose = keyof typeof MOST

/** How long an answer may take to begin, or to go on: above what any caller waits. */
const ANSWER_MS = 60_000
const CONNECT_MS = 10_000

/** Connections to one Nomad that are kept and used again, bounded for each purpose. */
export class Connections {
  readonly #pools: Readonly<Record<Purpose, Pool>>

  constructor(target: NomadTarget) {
    const connect = connectorOf(target)
    const pool = (connections: number) =>
      new Pool(target.origin, {
        connect,
        connections,
        pipelining: 1,
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
      })
    this.#pools = {
      calls: pool(MOST.calls),
      events: pool(MOST.events),
      logs: pool(MOST.logs),
      tails: pool(MOST.tails),
    }
  }

  of(purpose: Purpose): Pool {
    return this.#pools[purpose]
  }

  /** Ends what is under way. */
  async destroy(): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.destroy()))
  }
}

/**
 * Certificates are read for every connection that is made: they are renewed while the daemon runs. As
 * long as they are the same, TLS sessions are taken up again.
 */
function connectorOf({ socketPath, origin, tls }: NomadTarget): buildConnector.connector {
  let known: { readonly print: string; readonly connect: buildConnector.connector } | undefined
  return (options, callback) => {
    let secrets: Readonly<Record<string, string | readonly string[]>> = {}
    try {
      if (origin.startsWith('https:')) secrets = readCertificates(tls)
    } catch (error) {
      callback(error as Error, null)
      return
    }
    const print = JSON.stringify(secrets)
    if (known?.print !== print) {
      const connect = buildConnector({
        ...secrets,
        ...(socketPath !== undefined && { socketPath }),
        ...(tls.serverName !== undefined && { servername: tls.serverName }),
        rejectUnauthorized: tls.verify,
        // Nomad itself speaks none, and what stands before it need not.
        allowH2: false,
        timeout: CONNECT_MS,
      })
      known = { print, connect }
    }
    known.connect(options, callback)
  }
}

function readCertificates({ caFile, caFolder, certFile, keyFile }: NomadTarget['tls']) {
  const trusted = caFile === undefined ? filesIn(caFolder) : [caFile]
  return {
    ...(trusted !== undefined && { ca: trusted.map(read) }),
    ...(certFile !== undefined && { cert: read(certFile) }),
    ...(keyFile !== undefined && { key: read(keyFile) }),
  }
}

function filesIn(folder: string | undefined): readonly string[] | undefined {
  if (folder === undefined) return undefined
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => join(folder, name))
}

function read(file: string): string {
  return readFileSync(file, 'utf8')
}
