import type { Translate } from './placed.ts'
import { Unhonoured } from './unhonoured.ts'
import { pairs } from './values.ts'

/** `deploy.labels`: the job's `Meta`, beside what says whose it is. */
export const jobMeta: Translate = (value, { path }) => {
  const Meta = pairs(value, path)
  for (const [name, text] of Object.entries(Meta)) {
    // It is in the task's environment as well, where Nomad fills it in.
    if (`${name}${text}`.includes('${')) {
      throw new Unhonoured([...path, name], 'Nomad would fill in its `${`')
    }
  }
  return Object.keys(Meta).length === 0 ? {} : { job: { Meta } }
}

/** `labels` of the container. */
export const containerLabels: Translate = (value, { path }) => {
  const labels = pairs(value, path)
  return Object.keys(labels).length === 0 ? {} : { config: { labels: [labels] } }
}
