/**
 * Of what both outputs end with at most so many bytes, the error output last: Nomad keeps them apart,
 * and how they were mixed is not told. Each gets half, and what the other leaves of its own.
 */
export function tailOfBoth(out: Buffer, err: Buffer, most: number): string {
  const ofErr = Math.min(err.length, Math.max(Math.floor(most / 2), most - out.length))
  return endOf(out, Math.min(out.length, most - ofErr)) + endOf(err, ofErr)
}

/** Begins with a whole character. */
function endOf(bytes: Buffer, most: number): string {
  let from = bytes.length - most
  // 10xxxxxx goes on with a character that was begun before.
  while (from < bytes.length && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1
  return bytes.subarray(from).toString()
}
