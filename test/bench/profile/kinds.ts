import type { FunctionTime } from './cpu-profile.ts'

/** Node's functions without source that are one system call, and what prepares it. */
const writes = /^(?:write(?:Latin1String|Utf8String|Buffer|v)|writev|shutdown)$/

/** What kind of work a function is; `undefined` for none. */
function kindOf ({ name, where }: FunctionTime): string | undefined {
  if (name === '(idle)' || name === '(root)') return undefined
  if (where === '' && writes.test(name)) return 'writing to sockets (the kernel)'
  if (name === '(garbage collector)') return 'garbage collector'
  if (where === '') return 'V8 and Node, compiled'
  if (where.startsWith('node:')) return 'Node, JavaScript'
  const [, part] = /^(proxy\/[^/]+|config|proto|node_modules)\//.exec(where) ?? []
  return part === undefined ? 'everything else' : part
}

/** The time of each kind of work, in µs for each of `count`; the most expensive first. */
export function kindTimes (times: readonly FunctionTime[], count: number): { readonly kind: string, readonly us: number, readonly share: number }[] {
  const kinds = new Map<string, number>()
  for (const time of times) {
    const kind = kindOf(time)
    if (kind !== undefined) kinds.set(kind, (kinds.get(kind) ?? 0) + time.selfUs)
  }
  const all = [...kinds.values()].reduce((sum, us) => sum + us, 0)
  return [...kinds].sort(([, a], [, b]) => b - a).map(([kind, us]) => ({ kind, us: us / count, share: us / all }))
}
