import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'

const CHUNK = 50_000
/** The log keeps two million events: what is beyond would be purged while it is measured. */
const MOST_EVENTS = 1_900_000

/**
 * Fills the store of a daemon that is not running with copies of a task that has really gone the whole
 * way: its row, its attempts', its events', in the store's own columns, whatever they are.
 */
export async function copyFinishedTask(file: string, taskId: string, count: number): Promise<void> {
  const database = new DatabaseSync(file)
  try {
    for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = OFF', 'synchronous = OFF']) {
      database.exec(`PRAGMA ${pragma}`)
    }
    database.exec('PRAGMA cache_size = -400000')
    const uid = String(database.prepare('SELECT uid FROM tasks WHERE id = ?').get(taskId)!['uid'])
    const type = taskId.slice(0, taskId.indexOf('/'))
    const id = `'${type}/old-' || printf('%08d', n)`
    const newUid = `printf('%020x', n)`
    const renamed = (column: string) =>
      `replace(replace(${column}, '${uid}', ${newUid}), '${taskId}', ${id})`
    const copies = [
      copy(database, 'tasks', `id = '${taskId}'`, {
        id,
        uid: newUid,
        accepted_by: `'message-' || n`,
        wake_at: 'NULL',
      }),
      copy(database, 'attempts', `task_id = '${taskId}'`, {
        task_id: id,
        unit: `'lh-' || ${newUid}`,
        released_at: 'COALESCE(released_at, exited_at)',
      }),
    ]
    const told = copy(database, 'events', `task_id = '${taskId}' AND name IN (${TOLD})`, {
      task_id: id,
      event_id: renamed('event_id'),
      message: renamed('message'),
      sent_at: 'COALESCE(sent_at, at)',
    })
    for (let from = 1; from <= count; from += CHUNK) {
      const to = Math.min(count, from + CHUNK - 1)
      database.exec('BEGIN')
      for (const statement of copies) statement.run(from, to)
      if (2 * to <= MOST_EVENTS) told.run(from, to)
      database.exec('COMMIT')
      await turn()
    }
  } finally {
    database.close()
  }
}

const TOLD = `'longhaul/task-accepted', 'longhaul/task-succeeded'`

/** Copies the rows once for every number of a range; what is not given is as in the row that is there. */
function copy(
  database: DatabaseSync,
  table: string,
  where: string,
  differs: Readonly<Record<string, string>>,
) {
  const columns = database
    .prepare('SELECT name FROM pragma_table_info(?)')
    .all(table)
    .map(({ name }) => String(name))
    .filter((name) => name !== 'seq')
  return database.prepare(`WITH RECURSIVE
    numbers (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?),
    original AS MATERIALIZED (SELECT * FROM ${table} WHERE ${where})
    INSERT INTO ${table} (${columns.join(', ')})
    SELECT ${columns.map((name) => differs[name] ?? name).join(', ')}
    FROM numbers CROSS JOIN original`)
}
