import type { Figure } from './figure.ts'
import { costOf, fill, Nomad } from './nomad.ts'
import { Requests } from './requests.ts'
import { median } from './statistics.ts'

const JOBS = 5_000
const PAGE = 500
const REPEATS = 5
const never = new AbortController().signal

interface Cost {
  readonly seconds: number
  readonly cpuMs: number
}

/** Everything that runs, read page by page, beside the same pages parsed and thrown away. */
export async function nomadList(): Promise<readonly Figure[]> {
  await using nomad = await Nomad.open()
  await using scheduler = nomad.scheduler()
  await fill(scheduler, JOBS)
  using requests = new Requests(nomad.address, 2)
  const ours: Cost[] = []
  const bare: Cost[] = []
  for (let n = 0; n <= REPEATS; n += 1) {
    const one = await cost(() => rawList(requests))
    const other = await cost(async () => (await scheduler.list(never)).length)
    if (n === 0) continue
    bare.push(one)
    ours.push(other)
  }
  const figure = (key: string, words: string, of: (cost: Cost) => number, unit: 'ms' | 's') => ({
    row: 'nomad-list',
    key,
    words: `${words} ${JOBS.toLocaleString('en')} jobs by page`,
    value: median(ours.map(of)),
    unit,
    limit: { words: 'the same pages, parsed', value: median(bare.map(of)) },
  })
  return [
    figure('s', 'a list of', ({ seconds }) => seconds, 's'),
    figure('cpu_ms', "client's CPU for a list of", ({ cpuMs }) => cpuMs, 'ms'),
  ]
}

async function cost(list: () => Promise<number>): Promise<Cost> {
  let found = 0
  const { cpuMs, wallMs } = await costOf(async () => {
    found = await list()
  })
  if (found !== JOBS) throw new Error(`a list of ${found}, not of ${JOBS}`)
  return { cpuMs, seconds: wallMs / 1000 }
}

/** As the adapter asks: allocations and evaluations at the same time, then the jobs. */
async function rawList(requests: Requests): Promise<number> {
  const ours = 'JobID matches "^lh-"'
  const telling =
    'Status == "blocked" or TriggeredBy == "alloc-stop" or TriggeredBy == "job-deregister"'
  await pages(requests, '/v1/nodes', '')
  await Promise.all([
    pages(requests, '/v1/allocations', ours),
    pages(requests, '/v1/evaluations', `${ours} and (${telling})`),
  ])
  const filter = 'Meta["longhaul.installation"] == "bench"'
  return await pages(requests, '/v1/jobs', filter, { prefix: 'lh-', meta: 'true' })
}

async function pages(
  requests: Requests,
  path: string,
  filter: string,
  more: Readonly<Record<string, string>> = {},
): Promise<number> {
  let found = 0
  for (let token = ''; ;) {
    const query = new URLSearchParams({ per_page: String(PAGE), ...more })
    if (filter !== '') query.set('filter', filter)
    if (token !== '') query.set('next_token', token)
    const page = JSON.parse(await requests.get(`${path}?${query.toString()}`)) as Listed[]
    found += page.length
    const last = page.at(-1)
    if (page.length < PAGE || last === undefined) return found
    // Just past the last of this page: the real token is in a header, which nobody here reads.
    token = path === '/v1/jobs' ? `default.${last.ID}~` : `${last.CreateIndex}.${last.ID}~`
  }
}

interface Listed {
  readonly ID: string
  readonly CreateIndex: number
}
