import { Client } from 'pg'

/** A transaction as the server was told it, from its BEGIN to what stands before its COMMIT. */
export type Told = readonly { readonly text: string; readonly values: readonly unknown[] }[]

/** Keeps what this process tells any server until it is disposed of. Bytes are kept as `{ bytes }`. */
export function recordStatements(): Disposable & { readonly transactions: readonly Told[] } {
  const open = new Map<Client, Told[number][]>()
  const transactions: Told[] = []
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called on its client, and put back
  const original = Client.prototype.query as (...args: unknown[]) => unknown
  const recording = function (this: Client, ...args: unknown[]): unknown {
    const [text, values = []] = args as [string, unknown[]?]
    if (text.startsWith('BEGIN')) open.set(this, [])
    open.get(this)?.push({ text, values: values.map(kept) })
    if (text.endsWith('COMMIT')) transactions.push(open.get(this) ?? [])
    if (text.endsWith('COMMIT') || text === 'ROLLBACK') open.delete(this)
    return original.apply(this, args)
  }
  Client.prototype.query = recording as typeof Client.prototype.query
  return {
    transactions,
    [Symbol.dispose]() {
      Client.prototype.query = original as typeof Client.prototype.query
    },
  }
}

export async function replay(url: string, transactions: readonly Told[]): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    for (const transaction of transactions) {
      for (const { text, values } of transaction) {
        try {
          await client.query(text, values.length > 0 ? values.map(given) : undefined)
        } catch (error) {
          throw new Error(`refused: ${text}`, { cause: error })
        }
      }
    }
  } finally {
    await client.end()
  }
}

function kept(value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('base64') } : value
}

function given(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('bytes' in value)) return value
  return Buffer.from(String(value.bytes), 'base64')
}
