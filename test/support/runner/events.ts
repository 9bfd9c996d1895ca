/** What the process of a test file reports, one JSON line each. */
export type TestEvent =
  | { readonly type: 'begin' | 'end', readonly name: string, readonly nesting: number }
  | TestResult
  | { readonly type: 'note', readonly text: string, readonly nesting: number }
  | { readonly type: 'lingering', readonly resources: readonly string[] }

/** In the order of node:test: the children of a test come before it. */
export interface TestResult {
  readonly type: 'result'
  readonly name: string
  readonly nesting: number
  readonly passed: boolean
  readonly suite: boolean
  /** Why it was skipped. */
  readonly skip: string | undefined
  readonly todo: string | undefined
  readonly durationMs: number
  readonly failureType: string
  readonly error: string
}

export interface Failure {
  /** Names from the outermost test to the one that failed. */
  readonly path: readonly string[]
  readonly error: string
}

export interface Skip {
  readonly path: readonly string[]
  readonly reason: string
}

/** What became of one file. */
export interface Tally {
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skips: readonly Skip[]
  /** Tests that had begun and not ended when the events stopped. */
  readonly unfinished: readonly string[]
}

/**
 * Counts leaves only: a test that merely holds others is not one more promise kept. One that holds others and failed for a reason of
 * its own (a hook, an assertion between them) is a failure.
 */
export function tally (events: readonly TestEvent[]): Tally {
  const failures: Failure[] = []
  const skips: Skip[] = []
  let passed = 0
  // Results that wait for the name of the test around them, by nesting.
  const waiting: { nesting: number, path: string[] }[] = []
  let previousNesting = -1
  for (const event of events) {
    if (event.type !== 'result') continue
    const { name, nesting } = event
    const holdsOthers = previousNesting > nesting
    previousNesting = nesting
    for (const row of waiting) {
      if (row.nesting > nesting) {
        row.path.unshift(name)
        row.nesting = nesting
      }
    }
    const path = [name]
    const aside = event.skip ?? (event.todo === undefined ? undefined : `to do: ${event.todo}`)
    if (aside !== undefined) {
      skips.push({ path, reason: aside })
    } else if (!event.passed) {
      if (event.failureType === 'subtestsFailed' && holdsOthers) continue
      failures.push({ path, error: event.error })
    } else if (!holdsOthers && !event.suite) {
      passed++
    }
    waiting.push({ nesting, path })
  }
  return { passed, failures, skips, unfinished: unfinished(events) }
}

function unfinished (events: readonly TestEvent[]): string[] {
  const open: string[] = []
  for (const event of events) {
    if (event.type === 'begin') open.push(event.name)
    const at = event.type === 'end' ? open.lastIndexOf(event.name) : -1
    if (at !== -1) open.splice(at, 1)
  }
  return open
}
