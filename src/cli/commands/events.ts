import type { CommandModule } from 'yargs'
import { JSON_OPTION, withDaemon } from '../client-command.ts'
import { EXIT } from '../exit-code.ts'
import { CONNECTION_OPTIONS, type ConnectionArgs } from '../http/connection.ts'
import { followEvents, type ToldEvent } from '../http/event-follower.ts'
import { keptEvents } from '../http/kept-events.ts'
import { eventLine } from '../views/event-line.ts'

interface Args extends ConnectionArgs {
  readonly type: string | undefined
  readonly follow: boolean
  readonly json: boolean
}

export const eventsCommand: CommandModule<object, Args> = {
  command: 'events',
  describe: 'Print the events that are kept, oldest first',
  builder: (args) =>
    args.options({
      follow: {
        alias: 'f',
        type: 'boolean',
        default: false,
        describe: 'Go on with what happens from now on',
      },
      type: { type: 'string', requiresArg: true, describe: 'Only of this task type' },
      json: { ...JSON_OPTION, describe: 'As JSON lines, for programs' },
      ...CONNECTION_OPTIONS,
    }),
  handler: (args) =>
    withDaemon(args, async (client, screen) => {
      const { type, follow, json } = args
      const print = ({ id, name, data, message }: ToldEvent) => {
        if (json) screen.print(JSON.stringify({ id, event: name, ...data }))
        else screen.print(eventLine(screen, name, message))
      }
      const { signal } = new AbortController()
      if (!follow) {
        for await (const event of keptEvents(client, signal)) {
          if (type === undefined || event.message['taskType'] === type) print(event)
        }
        return EXIT.done
      }
      const query = { after: '0', ...(type !== undefined && { type }) }
      for await (const item of followEvents(client, () => query, signal)) {
        switch (item.kind) {
          case 'event':
            print(item.event)
            break
          case 'gap':
            screen.note('Some events have been purged before they could be read.')
            break
          case 'away':
            screen.note(`${item.why}\nWaiting for the daemon to come back.`)
            break
          case 'connected':
            if (item.again) screen.note('The daemon is back.')
            break
          case 'alive':
            break
        }
      }
      return EXIT.done
    }),
}
