import { type Client, createClient } from './http/client.ts'
import { type ConnectionArgs, connectionOf } from './http/connection.ts'
import { processScreen } from './terminal/process-screen.ts'
import type { Screen } from './terminal/screen.ts'

/** What `--json` says on the commands that have it. */
export const JSON_OPTION = {
  type: 'boolean',
  default: false,
  describe: 'As JSON, for programs',
} as const

/** Runs a command against the daemon that its arguments name; what it gives is the exit code. */
export async function withDaemon(
  args: ConnectionArgs,
  run: (client: Client, screen: Screen) => Promise<number>,
): Promise<void> {
  using screen = processScreen()
  const client = createClient(await connectionOf(args, process.env))
  process.exitCode = await run(client, screen)
}

export function printJson(screen: Screen, value: unknown): void {
  screen.print(JSON.stringify(value, undefined, 2))
}
