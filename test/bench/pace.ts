import { setTimeout as pause } from 'node:timers/promises'

/** Begins the work of 0 … count - 1 evenly spaced, whatever the work takes. */
export async function atPace(
  count: number,
  apartMs: number,
  work: (id: string) => Promise<void>,
): Promise<void> {
  const begun = performance.now()
  const all: Promise<void>[] = []
  for (let n = 0; n < count; n += 1) {
    await pause(Math.max(0, begun + n * apartMs - performance.now()))
    all.push(work(String(n)))
  }
  await Promise.all(all)
}
