export interface WatchedReads<T> {
  /** The configuration, looking and behaving the same. */
  readonly watched: T
  /** Paths of settings that nobody read so far, elements of arrays as `[]`: `listeners[].tls.keyFile`. */
  unread (): string[]
  /** Paths that somebody looked at, there or not. */
  reads (): ReadonlySet<string>
}

/**
 * Records which settings are read. A test builds a snapshot from a configuration that uses everything, and finds `unread()` empty:
 * so no setting can be declared that nothing looks at. Values that are no plain objects (patterns, functions) count as one setting.
 */
export function watchReads<T extends object> (config: T, ignore: ReadonlySet<string> = new Set(['at'])): WatchedReads<T> {
  const read = new Set<string>()
  const proxies = new WeakMap<object, Map<string, object>>()
  const wrap = (value: object, path: string): object => {
    const known = proxies.get(value)?.get(path)
    if (known !== undefined) return known
    const proxy: object = new Proxy(value, {
      get (target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof name !== 'string' || typeof member === 'function') return member
        const inner = Array.isArray(target) ? `${path}[]` : join(path, name)
        if (!Array.isArray(target)) read.add(inner)
        return isPlain(member) ? wrap(member, inner) : member
      },
      has (target, name) {
        if (typeof name === 'string' && !Array.isArray(target)) read.add(join(path, name))
        return Reflect.has(target, name)
      },
    })
    const byPath = proxies.get(value) ?? new Map<string, object>()
    byPath.set(path, proxy)
    proxies.set(value, byPath)
    return proxy
  }
  // A proxy of an object has the object's type.
  return { watched: wrap(config, '') as T, unread: () => [...leaves(config, '', ignore)].filter(path => !read.has(path)).toSorted(), reads: () => read }
}

function leaves (value: unknown, path: string, ignore: ReadonlySet<string>, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) {
    for (const element of value) leaves(element, `${path}[]`, ignore, found)
  } else if (isPlain(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (ignore.has(name) || typeof member === 'function') continue
      const inner = join(path, name)
      if (isPlain(member)) leaves(member, inner, ignore, found)
      else found.add(inner)
    }
  }
  return found
}

function isPlain (value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return Array.isArray(value) || prototype === Object.prototype || prototype === null
}

function join (path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
