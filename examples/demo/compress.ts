import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'

/**
 * The work of the demo: compresses a file as small as Brotli can (every window size is tried), checks
 * that it comes out again as it went in, and writes it. Exits with 66 where there is no such file
 * (EX_NOINPUT of sysexits): trying again would not help.
 */
const [source, target] = [process.env['SOURCE'] ?? '', process.env['TARGET'] ?? '']

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(66)
  }
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex')

console.log(`pid ${process.pid}, attempt ${process.env['LONGHAUL_ATTEMPT'] ?? '?'}`)
const original = read(source)
let smallest: Buffer | undefined
for (let window = constants.BROTLI_MIN_WINDOW_BITS; window <= 24; window += 1) {
  const compressed = brotliCompressSync(original, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: window,
      [constants.BROTLI_PARAM_SIZE_HINT]: original.length,
    },
  })
  console.log(`window 2^${window}: ${original.length} to ${compressed.length} bytes`)
  if (smallest === undefined || compressed.length < smallest.length) smallest = compressed
}
if (smallest === undefined || sha256(brotliDecompressSync(smallest)) !== sha256(original)) {
  console.error('what was compressed does not come out as it went in')
  process.exit(70)
}
// Whole or not at all: an attempt that is killed leaves no half file behind under this name.
writeFileSync(`${target}.${process.pid}`, smallest)
renameSync(`${target}.${process.pid}`, target)
console.log(`sha256 ${sha256(original)} verified, ${smallest.length} bytes written`)
