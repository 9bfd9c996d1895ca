export type HeaderEdit = readonly [action: 'set' | 'append' | 'remove', name: string, value: string]

/**
 * Header fields as scripts expect them: `headers['User-Agent']` in any case, `headers.get('user-agent')`, `for … in`, `Object.keys`.
 * What is set or deleted goes to `edits`.
 */
export function headersView (lines: readonly string[], edits: HeaderEdit[]): object {
  const fields = new Map<string, string[]>()
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase()
    const values = fields.get(name)
    if (values === undefined) fields.set(name, [lines[i + 1]!])
    else values.push(lines[i + 1]!)
  }
  const get = (name: string): string | undefined => fields.get(String(name).toLowerCase())?.join(String(name).toLowerCase() === 'cookie' ? '; ' : ', ')
  const set = (name: string, value: unknown): void => {
    edits.push(['set', String(name), String(value)])
    fields.set(String(name).toLowerCase(), [String(value)])
  }
  const remove = (name: string): boolean => {
    edits.push(['remove', String(name), ''])
    return fields.delete(String(name).toLowerCase())
  }
  const methods = {
    get,
    set,
    remove,
    delete: remove,
    has: (name: string) => fields.has(String(name).toLowerCase()),
    getAll: (name: string) => [...fields.get(String(name).toLowerCase()) ?? []],
    append (name: string, value: unknown): void {
      edits.push(['append', String(name), String(value)])
      fields.set(String(name).toLowerCase(), [...fields.get(String(name).toLowerCase()) ?? [], String(value)])
    },
    keys: () => fields.keys(),
    entries: () => [...fields.keys()].map((name) => [name, get(name)])[Symbol.iterator](),
    forEach: (each: (value: string | undefined, name: string) => void) => { for (const name of fields.keys()) each(get(name), name) },
    [Symbol.iterator]: () => methods.entries(),
  }
  return new Proxy(Object.create(null) as Record<string, unknown>, {
    get: (_, name) => Object.hasOwn(methods, name) ? methods[name as keyof typeof methods] : typeof name === 'string' ? get(name) : undefined,
    has: (_, name) => typeof name === 'string' && fields.has(name.toLowerCase()),
    ownKeys: () => [...fields.keys()],
    getOwnPropertyDescriptor: (_, name) => typeof name !== 'string' || !fields.has(name.toLowerCase()) ? undefined
      : { value: get(name), enumerable: true, configurable: true, writable: true },
    set (_, name, value) {
      if (typeof name === 'string') set(name, value)
      return true
    },
    deleteProperty (_, name) {
      if (typeof name === 'string') remove(name)
      return true
    },
  })
}

/** The query, read as forms write it: when somebody looks. */
export function queryView (query: string) {
  const decoded = (text: string): string => {
    const plain = text.replaceAll('+', ' ')
    try {
      return decodeURIComponent(plain)
    } catch {
      return plain
    }
  }
  let read: (readonly [name: string, value: string])[] | undefined
  const pairs = () => read ??= query.split('&').filter((part) => part !== '').map((part) => {
    const cut = part.indexOf('=')
    return [decoded(cut < 0 ? part : part.slice(0, cut)), cut < 0 ? '' : decoded(part.slice(cut + 1))] as const
  })
  return {
    get: (name: string) => pairs().find(([one]) => one === name)?.[1] ?? null,
    getAll: (name: string) => pairs().filter(([one]) => one === name).map(([, value]) => value),
    has: (name: string) => pairs().some(([one]) => one === name),
    keys: () => pairs().map(([name]) => name)[Symbol.iterator](),
    entries: () => pairs()[Symbol.iterator](),
    [Symbol.iterator]: () => pairs()[Symbol.iterator](),
  }
}

/** Facts of one call, just read out of its JSON. They become the view: a copy with a getter in it costs six times as much. */
type Facts = Record<string, unknown> & { readonly headers: readonly string[] }

/** A request under the names of this SDK, and under those that scripts for other proxies use. */
export function requestView (facts: Facts, edits: HeaderEdit[]): object {
  const { headers, id, ip, authority, rawPath, query } = facts
  const search = String(query)
  const view: Record<string, unknown> = facts
  view['headers'] = headersView(headers, edits)
  view['uri'] = search === '' ? rawPath : `${String(rawPath)}?${search}`
  view['host'] = authority
  view['clientIp'] = ip
  view['client_ip'] = ip
  view['correlationId'] = id
  view['correlation_id'] = id
  view['searchParams'] = queryView(search)
  return view
}

export function responseView (facts: Facts, id: unknown, edits: HeaderEdit[]): object {
  const view: Record<string, unknown> = facts
  view['headers'] = headersView(facts.headers, edits)
  view['statusCode'] = facts['status']
  view['correlationId'] = id
  view['correlation_id'] = id
  return view
}

/** A body, as text or as bytes. */
export function bodyView (text: string, latin1: string, truncated: unknown) {
  return {
    length: latin1.length,
    truncated: truncated === true,
    text: () => text,
    toString: () => text,
    json: () => JSON.parse(text) as unknown,
    bytes () {
      // In large bodies what `Uint8Array.from` takes for it is most of the time that a call has.
      const bytes = new Uint8Array(latin1.length)
      for (let at = 0; at < bytes.length; at++) bytes[at] = latin1.charCodeAt(at)
      return bytes
    },
  }
}

/** A message of a WebSocket. */
export function messageView (facts: Readonly<Record<string, unknown>>, text: string, latin1: string, done: () => void) {
  const body = bodyView(text, latin1, false)
  return { ...facts, length: body.length, text, json: body.json, bytes: body.bytes, done }
}
