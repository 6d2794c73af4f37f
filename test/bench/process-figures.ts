import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { median } from './statistics.ts'

/** Linux has told times to programs in hundredths of a second for ever (USER_HZ). */
const TICKS_PER_SECOND = 100

/** Seconds of CPU that the process has used itself, in user and in system mode. */
export function cpuSeconds(pid: number): number {
  const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Resident memory in MB once it has settled: the median of the last seconds of a quiet while. */
export async function residentMb(pid: number): Promise<number> {
  const samples: number[] = []
  for (let n = 0; n < 16; n += 1) {
    await pause(250)
    samples.push(residentNow(pid))
  }
  return median(samples.slice(-8))
}

function residentNow(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb) / 1024
}
