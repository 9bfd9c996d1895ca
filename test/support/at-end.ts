import type { TestContext } from 'node:test'

const stacks = new WeakMap<TestContext, Array<() => unknown>>()

/**
 * As `t.after`, but what was opened last ends first: a client before the proxy that would wait for it, and a proxy before what it relies on. What is given to
 * `t.after` itself, in the order of its calls, comes before or behind all of it.
 */
export function atEnd (t: TestContext, end: () => unknown): void {
  const known = stacks.get(t)
  if (known !== undefined) return void known.push(end)
  const stack = [end]
  stacks.set(t, stack)
  t.after(async () => {
    const errors: unknown[] = []
    for (let last = stack.pop(); last !== undefined; last = stack.pop()) {
      try {
        await last()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  })
}
