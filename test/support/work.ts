import { shell } from './daemon.ts'

/**
 * Writes down that it runs before anything else, with one appending write; then does as its kind says:
 * `ok` succeeds, `once` fails at its first attempt, `hard` fails for good, `flaky` takes longer and may
 * be in the middle of it when something is killed.
 */
const PROGRAM = `
echo "$LONGHAUL_TASK_ID $LONGHAUL_ATTEMPT" >> "$RAN"
case $KIND in
  once) [ "$LONGHAUL_ATTEMPT" -gt 1 ] || exit 3 ;;
  hard) exit 65 ;;
  flaky) sleep 0.7; [ "$LONGHAUL_ATTEMPT" -gt 1 ] || kill -9 $$ ;;
esac
`

/** The task type `work`, whose programs append to the file `ran`. */
export function workType(ran: string): object {
  return {
    command: shell(PROGRAM),
    environment: { RAN: ran },
    'x-task': {
      command: 'e2e/work',
      id: '/workId',
      input: { type: 'object', required: ['workId', 'kind'] },
      environment: { KIND: '/kind' },
      retry: {
        max_attempts: 5,
        backoff: { initial: '50ms', max: '200ms' },
        rules: [{ when: { exit_code: [65] }, action: 'fail' }],
      },
      events: { succeeded: 'e2e/work-done' },
      keep: { failed_unit: '0s' },
    },
  }
}
