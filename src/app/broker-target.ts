import type { DaemonConfig, TlsFiles } from '../config/daemon-config.ts'
import { readNamedFile } from './read-named-file.ts'
import { readSecret } from './read-secret.ts'

/** Where RabbitMQ is, how to get in, and the service's queue there. */
export async function brokerTarget(
  file: string,
  bus: Extract<DaemonConfig['bus'], { kind: 'rabbitmq' }>,
): Promise<{
  readonly url: string
  readonly password?: string
  readonly tls: Tls
  readonly queue: string
  readonly quorum: boolean
}> {
  const { url, queue, queueType, passwordFile } = bus
  const password = await readSecret(file, 'bus.password_file', passwordFile)
  return {
    url,
    ...(password !== undefined && { password }),
    tls: await readTls(file, bus.tls),
    queue,
    quorum: queueType === 'quorum',
  }
}

/** PEM, as `node:tls` takes it. */
interface Tls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

async function readTls(configFile: string, { caFile, certFile, keyFile }: TlsFiles): Promise<Tls> {
  const pem = async (key: string, path: string | undefined) =>
    path === undefined ? undefined : await readNamedFile(configFile, `bus.${key}`, path)
  const [ca, cert, key] = [
    await pem('ca_file', caFile),
    await pem('cert_file', certFile),
    await pem('key_file', keyFile),
  ]
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}
