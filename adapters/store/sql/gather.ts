/**
 * Runs calls together: those of one turn of the event loop, and those that come while others run. A
 * run answers its calls in their order, or throws for all of them. At most `most` calls a run.
 */
export function gather<Call, Answer>(
  most: number,
  run: (calls: readonly Call[]) => Promise<readonly Answer[]>,
): (call: Call) => Promise<Answer> {
  const waiting: (PromiseWithResolvers<Answer> & { readonly call: Call })[] = []
  let running = false

  async function runAll(): Promise<void> {
    while (waiting.length > 0) {
      const together = waiting.splice(0, most)
      try {
        const answers = await run(together.map(({ call }) => call))
        together.forEach(({ resolve }, place) => {
          resolve(answers[place] as Answer)
        })
      } catch (error) {
        for (const { reject } of together) reject(error)
      }
    }
    running = false
  }

  return (call) => {
    const answer = Promise.withResolvers<Answer>()
    waiting.push({ ...answer, call })
    if (!running) {
      running = true
      setImmediate(() => void runAll())
    }
    return answer.promise
  }
}
