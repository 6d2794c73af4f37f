import { StringDecoder } from 'node:string_decoder'

/** Pieces of UTF-8 as text: a character that is cut between two of them comes with the second. */
export async function* decoded(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8')
  for await (const chunk of chunks) {
    const text = decoder.write(chunk)
    if (text !== '') yield text
  }
  const rest = decoder.end()
  if (rest !== '') yield rest
}
