import { readFile } from 'node:fs/promises'
import type { Options } from 'yargs'
import { ConfigError, errorMessage, Rejected } from '../../core/errors.ts'

/** Where the daemon is, and what it wants to see. */
export interface Connection {
  /** Without a slash at its end. */
  readonly url: string
  readonly token?: string
  /** Where the token is from, for people. */
  readonly tokenFile?: string
}

/** What every command takes that talks to a daemon. */
export const CONNECTION_OPTIONS = {
  url: {
    type: 'string',
    requiresArg: true,
    describe: 'Where the daemon listens (else LONGHAUL_URL, else http://127.0.0.1:8420)',
  },
  'token-file': {
    type: 'string',
    requiresArg: true,
    describe: 'The file that holds the daemon’s token (else LONGHAUL_TOKEN_FILE)',
  },
} as const satisfies Record<string, Options>

export interface ConnectionArgs {
  readonly url: string | undefined
  readonly 'token-file': string | undefined
}

const DEFAULT_URL = 'http://127.0.0.1:8420'

/** Flags before the environment before the default. `Rejected` (`usage`) or `ConfigError`. */
export async function connectionOf(
  args: ConnectionArgs,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Connection> {
  const url =
    args.url !== undefined
      ? checkedUrl(args.url, '--url')
      : env['LONGHAUL_URL']
        ? checkedUrl(env['LONGHAUL_URL'], 'LONGHAUL_URL')
        : DEFAULT_URL
  const fromEnv = env['LONGHAUL_TOKEN_FILE']
  const tokenFile = args['token-file'] ?? (fromEnv === '' ? undefined : fromEnv)
  if (tokenFile === undefined) return { url }
  return { url, token: await tokenIn(tokenFile), tokenFile }
}

/** What is wrong with a URL is said without repeating it: it may hold a password. */
function checkedUrl(text: string, from: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Rejected('usage', `${from} must be a URL like ${DEFAULT_URL}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new Rejected('usage', `${from} must not hold a password: use --token-file`)
  }
  if (url.search !== '' || url.hash !== '') {
    throw new Rejected('usage', `${from} must end with the path: no ? and no #`)
  }
  return url.href.replace(/\/+$/, '')
}

async function tokenIn(file: string): Promise<string> {
  const wrong = (message: string) => new ConfigError([{ file, message }])
  let token: string
  try {
    token = (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw wrong(`the token cannot be read: ${errorMessage(error)}`)
  }
  if (token === '') throw wrong('the token is empty')
  // A header holds nothing else, and what fetch says of it would repeat the token.
  if (!/^[\x21-\x7e]+$/.test(token)) throw wrong('a token has no spaces and only ASCII characters')
  return token
}
