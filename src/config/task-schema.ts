import { PRIORITY } from '../core/admit.ts'
import { EXIT_REASONS } from '../core/exit.ts'
import { nomadSchema } from './nomad-schema.ts'
import type { Schema } from './schema.ts'
import {
  bytes,
  duration,
  flag,
  integer,
  keys,
  list,
  map,
  number,
  oneOf,
  pointer,
  text,
} from './schema.ts'

/** Kinds of events that a type may name in its own words. */
const EVENT_KINDS = [
  'accepted',
  'started',
  'exited',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
] as const

/** Faults that a rule may match: with `operator` the run is over whatever the rules say. */
const RULE_FAULTS = ['task', 'configuration', 'infrastructure']
const RULE_REASONS = EXIT_REASONS.filter(
  (reason) => reason !== 'cancelled' && reason !== 'deadline',
)

const messageName = (description: string): Schema =>
  text(description, {
    pattern: '^(?!longhaul/)(?!amq\\.)[^\\s\\p{C}]{1,200}$',
    'x-expects':
      'a message name of 1 to 200 characters without spaces, and not under `longhaul/` (the daemon’s own) or `amq.` (the broker’s own)',
  })

const oneOrMore = (description: string, values: readonly string[]): Schema => ({
  description,
  type: ['string', 'array'],
  minItems: 1,
  items: { enum: values },
  pattern: `^(${values.join('|')})$`,
  'x-expects': `one of ${values.join(', ')}, or a list of them`,
})

const when = keys(
  'What the exit must be. The keys must all hold; within one key any value will do.',
  {
    exit_code: {
      description: 'Exit codes, as numbers or ranges: `[1, "64-78"]`.',
      type: ['integer', 'string', 'array'],
      minItems: 1,
      minimum: 0,
      pattern: '^\\d{1,10}(-\\d{1,10})?$',
      items: {
        type: ['integer', 'string'],
        minimum: 0,
        pattern: '^\\d{1,10}(-\\d{1,10})?$',
        'x-expects': 'an exit code or a range of them, such as `1` or `"64-78"`',
      },
      'x-expects': 'an exit code, a range such as `"64-78"`, or a list of them',
    },
    reason: oneOrMore('Exit reasons: the one vocabulary for every scheduler.', RULE_REASONS),
    fault: oneOrMore('Whose doing it was.', RULE_FAULTS),
    signal: {
      description: 'Signals that ended it: `SIGKILL`, `[SIGSEGV, SIGBUS]`.',
      type: ['string', 'array'],
      minItems: 1,
      pattern: '^SIG[A-Z0-9]+$',
      items: {
        type: 'string',
        pattern: '^SIG[A-Z0-9]+$',
        'x-expects': 'the name of a signal, such as `SIGKILL`',
      },
      'x-expects': 'the name of a signal, such as `SIGKILL`, or a list of them',
    },
  },
  { minProperties: 1 },
)

const rule = keys(
  'A rule.',
  {
    when,
    action: oneOf(
      '`retry` runs it again, `fail` gives up at once, `succeed` takes the exit for a success.',
      ['retry', 'fail', 'succeed'],
    ),
    count: flag(
      'With `retry`: whether the attempt counts against `max_attempts`. At most 10 uncounted retries in a row are made.',
      { default: true },
    ),
    resources: keys('With `retry`: what the next attempts of this run are given.', {
      memory: keys(
        'Raises `deploy.resources.limits.memory`.',
        {
          factor: number('What the memory of the last attempt is multiplied by.', {
            exclusiveMinimum: 1,
            maximum: 100,
          }),
          max: bytes('The most it is raised to; without it there is no limit.'),
        },
        { required: ['factor'] },
      ),
    }),
  },
  { required: ['when', 'action'] },
)

const retry = keys('What happens after an attempt that did not succeed.', {
  max_attempts: integer('Counted attempts a run may have, the first included.', {
    default: 3,
    minimum: 1,
    maximum: 1000,
  }),
  backoff: {
    ...keys('The pause before the next attempt; `none` starts it at once.', {
      initial: duration('The first pause.', { default: '5s' }),
      factor: number('What each pause is multiplied by for the next.', {
        default: 2,
        minimum: 1,
        maximum: 100,
      }),
      max: duration('The longest pause.', { default: '5m' }),
      jitter: oneOf(
        '`full` draws each pause between nothing and its length, so that a crowd does not come back at once.',
        ['full', 'none'],
        { default: 'full' },
      ),
    }),
    type: ['object', 'string'],
    pattern: '^none$',
    'x-expects': '`none` or a mapping of `initial`, `factor`, `max` and `jitter`',
  },
  rules: list(
    'The first rule that matches decides; where none does, the exit’s fault does: `task` is retried and counted, `infrastructure` retried and not counted, `configuration` retried and counted after a longer pause.',
    rule,
  ),
})

/** The `x-task` block. */
export const taskSchema: Schema = keys(
  'What Longhaul does with the service: how a task is asked for, what it is given, and how its failures are treated.',
  {
    command: messageName(
      'The bus command that asks for a task. Without it the type is reached by `longhaul/run-task`, HTTP and the command line only.',
    ),
    id: pointer(
      'Where the command holds the task’s id: the same id is the same task. Without it the message’s own id is taken.',
    ),
    input: {
      description:
        'JSON Schema (2020-12) of the command. A command that does not fit is rejected with every error named. Without it any JSON object is taken.',
      type: 'object',
    },
    environment: map(
      'Environment values from the command: name → JSON Pointer. Strings as they are, everything else as JSON; one that the command lacks is left out.',
      pointer('Where the command holds the value.'),
      {
        propertyNames: {
          pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
          'x-expects': 'the name of an environment variable (letters, digits and `_`)',
        },
      },
    ),
    arguments: list(
      'Appended to `command`, each as one whole argument: a fixed string, or `{ from: /pointer }` into the command. One that the command lacks is left out.',
      {
        ...keys(
          'An argument.',
          { from: pointer('Where the command holds the value.') },
          { required: ['from'] },
        ),
        type: ['string', 'number', 'object'],
        'x-expects': 'a string, a number or `{ from: /pointer }`',
      },
    ),
    start_timeout: duration(
      'From the scheduler’s confirmation until it runs: placed, pulled and created.',
      { default: '10m' },
    ),
    attempt_timeout: duration('How long one attempt may run. Without it there is no limit.'),
    deadline: duration(
      'How long the whole run may take, pauses and waiting included. Without it there is no limit.',
    ),
    retry,
    on_node_lost: keys('What happens when the node does not answer any more.', {
      action: oneOf(
        '`retry` gives the attempt up after `after`; `wait` waits for the node to come back.',
        ['retry', 'wait'],
        { default: 'retry' },
      ),
      after: duration('How long a node that does not answer is borne.', {
        default: '60s',
        minMs: 0,
      }),
    }),
    concurrency: keys(
      'How many attempts may be in flight at once.',
      {
        limit: integer('The most, for the type or for each value of `key`.', { minimum: 1 }),
        key: pointer('Where the command holds the key: one limit for each of its values.'),
      },
      { required: ['limit'] },
    ),
    priority: integer('Higher starts first. A command may carry its own.', {
      default: 0,
      minimum: PRIORITY.min,
      maximum: PRIORITY.max,
    }),
    events: keys(
      'The type’s own event names, published beside `longhaul/task-*`: the same body and the `input`.',
      Object.fromEntries(
        EVENT_KINDS.map((kind) => [
          kind,
          messageName(`Published when \`longhaul/task-${kind}\` is.`),
        ]),
      ),
    ),
    keep: keys('How long what is over is kept.', {
      outcome: duration('How long an id stays known; then its rows are purged.', {
        default: '30d',
      }),
      failed_unit: duration('How long the scheduler keeps what failed, for a look at it.', {
        default: '1h',
        minMs: 0,
      }),
      log_tail: bytes('How much of the end of the output goes into an exit.', {
        default: '16k',
        min: 0,
        max: 65_536,
        'x-expects': 'a size of at most `64k`',
      }),
    }),
    nomad: nomadSchema,
  },
)
