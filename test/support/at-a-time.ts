import { describe, test, type TestContext } from 'node:test'

type Run = (t: TestContext) => Promise<void>
type Case = (name: string, options: { readonly skip?: boolean | string }, run: Run) => void

/**
 * As `test`, for cases of a file that mostly wait: for times that pass, and not for the processor. So many of them run at a time, each with processes of its
 * own; the others of the file come before or after.
 */
export function atATime (most: number): Case & ((name: string, run: Run) => void) {
  const cases: Array<() => void> = []
  describe(`${most} at a time`, { concurrency: most }, async () => {
    // Until the file has named all of them.
    await Promise.resolve()
    for (const declare of cases) declare()
  })
  return (name: string, ...rest: [run: Run] | [options: Parameters<Case>[1], run: Run]) => {
    const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest
    cases.push(() => { void test(name, options, run) })
  }
}
