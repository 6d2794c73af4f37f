/**
 * Text of somebody else's on one line: a line's end is a space, and what could move the cursor or change
 * colours on a terminal is shown for what it is.
 */
export function oneLine(text: string): string {
  return visible(text.replace(/[\r\n\t]+/g, ' ')).trim()
}

/** The same for text of many lines. */
export function manyLines(text: string): readonly string[] {
  const lines = text.split(/\r\n|\n|\r/)
  if (lines.at(-1) === '') lines.pop()
  return lines.map(visible)
}

function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : '\u2421'
  })
}
