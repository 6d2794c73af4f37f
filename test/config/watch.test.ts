import assert from 'node:assert/strict'
import { rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { watchTaskTypes } from '../../src/config/watch.ts'
import type { Logger } from '../../src/ports/logger.ts'
import { folderOf } from './files.ts'

const LIMIT_MS = 10_000

/** Calls that can be waited for. */
function counted() {
  let calls = 0
  let wake: () => void = () => undefined
  return {
    call: () => {
      calls += 1
      wake()
    },
    calls: () => calls,
    async reach(wanted: number) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const limit = setTimeout(() => {
        reject(new Error(`${calls} calls, not ${wanted}`))
      }, LIMIT_MS)
      wake = () => {
        if (calls >= wanted) resolve(undefined)
      }
      wake()
      await promise.finally(() => {
        clearTimeout(limit)
      })
    },
  }
}

function listening(): Logger & { readonly lines: string[] } {
  const lines: string[] = []
  const line = (event: string) => void lines.push(event)
  return { lines, debug: line, info: line, warn: line, error: line }
}

describe('watching the task types', () => {
  it('tells of a new file, an edit in place, an edit by rename and a removal', async () => {
    await using folder = await folderOf({ 'a.yml': '1' })
    const changes = counted()
    await using _ = await watchTaskTypes(folder.path, changes.call, listening())
    const path = (name: string) => join(folder.path, name)
    const edits = [
      () => writeFile(path('b.yml'), '1'),
      () => writeFile(path('a.yml'), '2'),
      () => writeFile(path('.a.swp'), '3').then(() => rename(path('.a.swp'), path('a.yml'))),
      () => rm(path('b.yml')),
    ]
    for (const edit of edits) {
      const before = changes.calls()
      await edit()
      await changes.reach(before + 1)
    }
  })

  it('tells of many writes at once less often than of each', async () => {
    await using folder = await folderOf({})
    const changes = counted()
    await using _ = await watchTaskTypes(folder.path, changes.call, listening())
    for (let i = 0; i < 20; i++) await writeFile(join(folder.path, `${i}.yml`), '')
    await changes.reach(1)
    assert.ok(changes.calls() < 20)
  })

  it('sees that another folder was put in its place, as deployments do it', async () => {
    await using first = await folderOf({ 'a.yml': '1' })
    await using second = await folderOf({ 'a.yml': '22' })
    await using folder = await folderOf({})
    const link = join(folder.path, 'tasks')
    await symlink(first.path, link)
    const changes = counted()
    await using _ = await watchTaskTypes(link, changes.call, listening())
    await symlink(second.path, `${link}.new`)
    await rename(`${link}.new`, link)
    await changes.reach(1)
  })

  it('warns where a folder cannot be watched, and the daemon lives on', async () => {
    await using folder = await folderOf({})
    const logger = listening()
    const missing = join(folder.path, 'no')
    await using _ = await watchTaskTypes(missing, () => assert.fail('nothing changed'), logger)
    assert.deepEqual(logger.lines, ['task-types.unwatched'])
  })
})
