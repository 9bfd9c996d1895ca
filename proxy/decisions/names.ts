import { canonicalName } from '../pipeline/headers.ts'

/** Whether a name is one of a list in which `*` at an end stands for any more. */
export function nameTest (names: readonly string[]): (name: string) => boolean {
  const whole = new Set(names.filter((name) => !name.endsWith('*')))
  const beginnings = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))
  if (beginnings.includes('')) return () => true
  return (name) => whole.has(name) || beginnings.some((beginning) => name.startsWith(beginning))
}

/** The same for header fields, which count under every spelling that means the same to an application. */
export function fieldTest (names: readonly string[]): (name: string) => boolean {
  const test = nameTest(names.map((name) => name.endsWith('*') ? `${canonicalName(name.slice(0, -1))}*` : canonicalName(name)))
  return (name) => test(canonicalName(name))
}
