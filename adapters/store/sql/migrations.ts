import type { Dialect } from './dialect.ts'

export interface Migration {
  /** The oldest version of the schema whose program runs on this one. */
  readonly oldest: number
  statements(dialect: Dialect): readonly string[]
}

/**
 * The schema's history: one transaction each, in order, never edited once released. Everything that a
 * loop asks for stands in a partial index of the rows that are live, so that a million ended tasks
 * cost nothing but their place.
 *
 * Several daemons are updated one after another, so a migration only expands: what the release before
 * says to the database must go on working and mean the same (new columns have defaults, nothing is
 * renamed or narrowed). What nobody uses any more is dropped a release later, by a migration that
 * raises `oldest`. The statements of each version are recorded beside the tests, and played against
 * every later one.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    oldest: 1,
    statements: (dialect) => firstSchema(dialect),
  },
  {
    // A leader of the release before neither reads nor writes it, and leaves what is there.
    oldest: 1,
    statements: () => ['ALTER TABLE attempts ADD COLUMN image TEXT'],
  },
  {
    // The same.
    oldest: 1,
    statements: () => ['ALTER TABLE attempts ADD COLUMN late_exit TEXT'],
  },
  {
    // A leader of the release before looks sooner, and says of no start until when it may come through.
    oldest: 1,
    statements: ({ integer }) => [
      `ALTER TABLE attempts ADD COLUMN look_again_at ${integer}`,
      `ALTER TABLE attempts ADD COLUMN start_settles_at ${integer}`,
      `UPDATE attempts SET start_settles_at = start_begun_at + 35000
        WHERE state = 'starting' AND confirmed_at IS NULL`,
    ],
  },
]

function firstSchema({
  sequenceKey,
  integer,
  bytes,
  tableOptions,
  logColumns,
  holdColumns,
  logIndexes,
}: Dialect): readonly string[] {
  return [
    `CREATE TABLE remembered (name TEXT PRIMARY KEY, value TEXT NOT NULL)${tableOptions}`,
    `CREATE TABLE leases (epoch ${integer} PRIMARY KEY, owner TEXT NOT NULL, until ${integer})${tableOptions}`,
    `CREATE TABLE definitions (
      hash TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      directory TEXT NOT NULL,
      compose TEXT NOT NULL
    )${tableOptions}`,

    `CREATE TABLE tasks (
      seq ${sequenceKey},
      id TEXT NOT NULL UNIQUE,
      uid TEXT NOT NULL,
      type TEXT NOT NULL,
      revision ${integer} NOT NULL,
      definition TEXT NOT NULL REFERENCES definitions (hash),
      state TEXT NOT NULL,
      run ${integer} NOT NULL,
      attempt ${integer} NOT NULL,
      priority ${integer} NOT NULL,
      created_at ${integer} NOT NULL,
      concurrency_key TEXT NOT NULL,
      not_before ${integer},
      due_at ${integer},
      deadline_at ${integer},
      wake_at ${integer},
      purge_at ${integer},
      ready ${integer},
      start_rank ${integer},
      start_group TEXT,
      stuck_since ${integer},
      stuck_reason TEXT,
      decide_failures ${integer} NOT NULL,
      memory_bytes ${integer},
      accepted_by TEXT NOT NULL,
      correlation_id TEXT,
      sticky_attributes TEXT NOT NULL,
      cancel_requested TEXT,
      outcome TEXT,
      input TEXT NOT NULL
    )${tableOptions}`,
    `CREATE INDEX tasks_by_type ON tasks (type, seq)`,
    `CREATE INDEX tasks_by_state ON tasks (state, seq)`,
    `CREATE INDEX tasks_by_type_and_state ON tasks (type, state, seq)`,
    `CREATE INDEX tasks_by_definition ON tasks (definition)`,
    `CREATE INDEX tasks_live ON tasks (type, state) WHERE state IN ('queued', 'starting', 'running', 'exited')`,
    `CREATE INDEX tasks_waiting ON tasks (due_at) WHERE ready = 0`,
    `CREATE INDEX tasks_ready ON tasks (start_rank, seq, start_group, due_at, id) WHERE ready = 1`,
    `CREATE INDEX tasks_ready_by_group ON tasks (start_group, start_rank, seq, due_at, id) WHERE ready = 1`,
    `CREATE INDEX tasks_oldest_queued ON tasks (type, due_at) WHERE state = 'queued'`,
    `CREATE INDEX tasks_wake ON tasks (wake_at) WHERE wake_at IS NOT NULL`,
    `CREATE INDEX tasks_purge ON tasks (purge_at) WHERE purge_at IS NOT NULL`,
    `CREATE INDEX tasks_stuck ON tasks (seq) WHERE stuck_since IS NOT NULL`,

    `CREATE TABLE attempts (
      task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      number ${integer} NOT NULL,
      run ${integer} NOT NULL,
      unit TEXT NOT NULL,
      state TEXT NOT NULL,
      created_at ${integer} NOT NULL,
      start_begun_at ${integer} NOT NULL,
      start_ended_at ${integer},
      confirmed_at ${integer},
      start_due_at ${integer},
      started_at ${integer},
      attempt_due_at ${integer},
      unreachable_since ${integer},
      missing_since ${integer},
      call_failures ${integer} NOT NULL,
      call_again_at ${integer},
      exited_at ${integer},
      release_at ${integer},
      released_at ${integer},
      counted ${integer},
      node TEXT,
      stop TEXT,
      exit TEXT,
      PRIMARY KEY (task_id, number)
    )${tableOptions}`,
    `CREATE INDEX attempts_live ON attempts (task_id, unit) WHERE state <> 'exited'`,
    `CREATE INDEX attempts_unreleased ON attempts (exited_at, task_id) WHERE state = 'exited' AND released_at IS NULL`,

    `CREATE TABLE applied_commands (id TEXT PRIMARY KEY, at ${integer} NOT NULL)${tableOptions}`,
    `CREATE INDEX applied_commands_by_age ON applied_commands (at)`,

    `CREATE TABLE events (
      seq ${sequenceKey},
      event_id TEXT NOT NULL,
      name TEXT NOT NULL,
      task_id TEXT,
      task_type TEXT,
      at ${integer} NOT NULL,
      sent_at ${integer},
      correlation_id TEXT,
      attributes TEXT NOT NULL,
      sticky_attributes TEXT NOT NULL,
      message TEXT NOT NULL${logColumns}${holdColumns},
      UNIQUE (event_id, name)
    )${tableOptions}`,
    `CREATE INDEX events_unsent ON events (seq) WHERE sent_at IS NULL`,
    `CREATE INDEX events_unsent_by_task ON events (task_id, seq) WHERE sent_at IS NULL`,
    ...logIndexes,

    `CREATE TABLE messages (
      key ${sequenceKey},
      id TEXT NOT NULL,
      due_at ${integer} NOT NULL,
      tries ${integer} NOT NULL,
      buried_at ${integer},
      correlation_id TEXT,
      attributes TEXT,
      sticky_attributes TEXT,
      error TEXT,
      body ${bytes} NOT NULL${holdColumns}
    )${tableOptions}`,
    `CREATE INDEX messages_due ON messages (due_at, key) WHERE buried_at IS NULL`,
    `CREATE INDEX messages_buried ON messages (buried_at, key) WHERE buried_at IS NOT NULL`,
  ]
}
