import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import http2 from 'node:http2'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { type ChannelOptions, Client, credentials } from '@grpc/grpc-js'
import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import { LABEL } from '../labels.ts'
import { WATCH_TASKS_AND_NODES, type WatchMessage, watchMessageOf } from './messages.ts'

const SUBSCRIBED_WITHIN_MS = 3_000
const METHOD = '/docker.swarmkit.v1.Watch/Watch'

/** A subscription that stands until it is ended, its signal is aborted or the manager ends it. */
export interface ControlWatch {
  /** Why it does not stand any more. Never rejects. */
  readonly ended: Promise<Unavailable>
  end(): void
}

/**
 * Subscribes to the tasks of an installation and to the nodes, by a manager's control socket (or the
 * folder that holds `control.sock`: a dockerd that starts anew makes a new one). Resolves once
 * subscribed; `Unavailable` where that does not come to pass.
 */
export async function openControlWatch(parts: {
  readonly path: string
  readonly installation: string
  readonly tell: (message: WatchMessage) => void
  readonly signal: AbortSignal
}): Promise<ControlWatch> {
  const { path, installation, tell, signal } = parts
  const socket = await socketOf(path)
  await answers(socket, signal)
  const label = { name: LABEL.installation, value: installation }
  const client = new Client(`unix:${socket}`, UNCHECKED, OPTIONS)
  const call = client.makeServerStreamRequest(
    METHOD,
    (request: Uint8Array) => Buffer.from(request),
    (bytes) => watchMessageOf(bytes, label),
    WATCH_TASKS_AND_NODES,
  )
  const end = (): void => {
    call.cancel()
  }
  const ended = new Promise<Unavailable>((resolve) => {
    const over = (why: string, cause?: unknown): void => {
      signal.removeEventListener('abort', end)
      client.close()
      resolve(unavailable(why, cause))
    }
    // A refused connection, a manager that stops and our own cancelling all come here.
    call.on('error', (error: Error) => {
      over(error.message, error)
    })
    call.on('end', () => {
      over('the stream has ended')
    })
  })
  signal.addEventListener('abort', end, { once: true })
  const subscribed = new Promise<undefined>((resolve) => {
    // The first message is empty, and sent once the manager watches.
    call.on('data', (message: WatchMessage) => {
      resolve(undefined)
      tell(message)
    })
  })
  const late = setTimeout(end, SUBSCRIBED_WITHIN_MS)
  const failure = await Promise.race([subscribed, ended])
  clearTimeout(late)
  if (failure !== undefined) throw failure
  return { ended, end }
}

/**
 * TLS, but of a certificate that only the swarm's own CA vouches for, and no client has: who may open the
 * socket may use it (swarmkit node/node.go dials it in the same way).
 */
const UNCHECKED = credentials.createSsl(null, null, null, { rejectUnauthorized: false })

const OPTIONS: ChannelOptions = {
  'grpc.ssl_target_name_override': 'swarm-manager',
  'grpc.default_authority': 'swarm-manager',
  // One message holds all that one transaction of the swarm's has changed, with whole specs.
  'grpc.max_receive_message_length': -1,
  // The caller's to do: a call that went on by itself would hide what was missed.
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
}

async function socketOf(path: string): Promise<string> {
  try {
    return (await stat(path)).isDirectory() ? join(path, 'control.sock') : path
  } catch (error) {
    throw unavailable(errorMessage(error), error)
  }
}

/**
 * That somebody answers at all, asked without gRPC: @grpc/grpc-js cannot give up a connection half made,
 * and would keep one for each try at a dockerd that hangs. As far as HTTP/2's settings, for what ends
 * earlier is a warning in dockerd's log.
 */
async function answers(path: string, signal: AbortSignal): Promise<void> {
  const connection = connect({ path, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  const session = http2.connect('https://swarm-manager', { createConnection: () => connection })
  // Of a connection that is done with, also when it fails in being closed.
  session.on('error', () => undefined)
  const late = AbortSignal.timeout(SUBSCRIBED_WITHIN_MS)
  try {
    await once(session, 'remoteSettings', { signal: AbortSignal.any([signal, late]) })
    session.close()
  } catch (error) {
    session.destroy()
    connection.destroy()
    if (signal.aborted) throw unavailable('given up', error)
    if (late.aborted) throw unavailable(`no answer within ${SUBSCRIBED_WITHIN_MS} ms`, error)
    throw unavailable(errorMessage(error), error)
  }
}

function unavailable(why: string, cause: unknown): Unavailable {
  return new Unavailable('watch', `the control socket: ${why}`, cause)
}
