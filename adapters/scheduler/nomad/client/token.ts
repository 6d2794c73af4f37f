import { readFile } from 'node:fs/promises'
import { Unavailable, errorMessage } from '../../../../src/core/errors.ts'
import type { NomadTarget } from './target.ts'

/** The ACL token as it is at each call: a workload identity's file is written anew before it expires. */
export class Token {
  readonly #source: NomadTarget['token']
  #last: string | undefined

  constructor(source: NomadTarget['token']) {
    this.#source = source
  }

  /** Undefined where none is needed. `Unavailable` where its file tells none. */
  async read(): Promise<string | undefined> {
    const source = this.#source
    if (source === undefined) return undefined
    if ('value' in source) return source.value
    let text: string
    try {
      text = (await readFile(source.file, 'utf8')).trim()
    } catch (error) {
      throw new Unavailable('nomad-token', `the token's file: ${errorMessage(error)}`, error)
    }
    // A file that is being written in place is empty for a moment.
    if (text !== '') this.#last = text
    if (this.#last === undefined) {
      throw new Unavailable('nomad-token', `the token's file ${source.file} is empty`)
    }
    return this.#last
  }
}
