import type { DaemonConfig } from '../config/daemon-config.ts'
import { failedFinding, type Finding } from './doctor-finding.ts'
import { postgresFindings } from './doctor-postgres.ts'
import { sqliteFindings } from './doctor-sqlite.ts'
import { storeSchema } from './store-schema.ts'

const PART = 'store'
const NAME = 'schema'

export async function doctorStore(
  config: DaemonConfig,
  env: NodeJS.ProcessEnv,
): Promise<readonly Finding[]> {
  const { store } = config
  if (store.kind === 'sqlite') {
    return [...(await sqliteFindings(config)), await schemaFinding(config, env)]
  }
  const { findings, answers } = await postgresFindings(config, store)
  return answers ? [...findings, await schemaFinding(config, env)] : findings
}

async function schemaFinding(config: DaemonConfig, env: NodeJS.ProcessEnv): Promise<Finding> {
  try {
    const state = await storeSchema(config, env)
    if (state === undefined) return well('there is no store yet: the first start makes it')
    const { found, known, fit } = state
    switch (fit) {
      case 'current':
        return well(`version ${found}, this release's own`)
      case 'usable':
        return well(`version ${found}, of a newer release; this one has ${known} and runs on it`)
      case 'older':
        return olderFinding(found, known, config.store.migrate)
      case 'newer': {
        const message = `version ${found}, of a newer release; this one has ${known} and cannot run on it`
        return ill(message, 'run that release, or name another store')
      }
    }
  } catch (error) {
    return failedFinding(PART, NAME, error, 'see the lines before it')
  }
}

function olderFinding(found: number, known: number, migrates: boolean): Finding {
  const has = found === 0 ? 'none yet' : `version ${found}, and this release has ${known}`
  if (migrates) return well(`${has}: the daemon brings it up to date when it starts`)
  return ill(`${has}, and the file says \`migrate: false\``, 'longhaul migrate')
}

function well(message: string): Finding {
  return { part: PART, name: NAME, ok: true, message }
}

function ill(message: string, remedy: string): Finding {
  return { part: PART, name: NAME, ok: false, message, remedy }
}
