import { readFile } from 'node:fs/promises'
import { Unavailable, errorMessage } from '../../../src/core/errors.ts'
import { isJsonObject, type Json } from '../../../src/core/json.ts'
import { hubName } from './image-reference.ts'

/**
 * The credentials for a registry that a Docker `config.json` holds, as `X-Registry-Auth` carries them;
 * undefined where it has none for it. Read anew each time: a file that is mounted is renewed in place.
 * Credential helpers are programs of another machine and are not asked.
 */
export async function registryAuthFor(registry: string, file: string): Promise<string | undefined> {
  const auths = authsOf(await contentOf(file))
  for (const [address, entry] of Object.entries(auths)) {
    if (!isJsonObject(entry) || hostOf(address) !== registry) continue
    const token = entry['identitytoken']
    const [username, ...password] = Buffer.from(stringOf(entry['auth']), 'base64')
      .toString()
      .split(':')
    const credentials = {
      serveraddress: address,
      ...(typeof token === 'string' && token !== ''
        ? { identitytoken: token }
        : {
            username: stringOf(entry['username']) || username,
            password: stringOf(entry['password']) || password.join(':'),
          }),
    }
    return padded(Buffer.from(JSON.stringify(credentials)).toString('base64url'))
  }
  return undefined
}

function authsOf(config: unknown): Readonly<Record<string, Json>> {
  const auths = isJsonObject(config) ? config['auths'] : undefined
  return isJsonObject(auths) ? auths : {}
}

async function contentOf(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    // Never what was read: a JSON error quotes it.
    const why = error instanceof SyntaxError ? 'it is no JSON' : errorMessage(error)
    throw new Unavailable('registry-auth', `registry_auth_file ${file}: ${why}`)
  }
}

/**
 * Go's base64.URLEncoding, which the engine reads it by, wants its padding: without it the engine takes
 * the credentials for none and says no word of it (moby daemon/cluster/executor/container/adapter.go).
 */
function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** `https://index.docker.io/v1/` and `registry.example.com` alike. */
function hostOf(address: string): string {
  return hubName(address.replace(/^https?:\/\//, '').replace(/\/.*$/, ''))
}

function stringOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
