/**
 * What a script may write in place of an object: `block(403)` is `{ decision: 'block', status: 403 }`.
 * The functions of this folder are evaluated as text inside of the script's own realm, so they know one another and the language, nothing else.
 */
export function decisionWords () {
  type Fields = Readonly<Record<string, unknown>>
  const decision = (word: string, fields: Fields, extras?: Fields): Fields => {
    const made = { decision: word, ...fields, ...extras }
    Object.defineProperty(made, 'with', { value: (more: Fields) => decision(word, made, more) })
    return made
  }
  return {
    allow: (extras?: Fields) => decision('allow', {}, extras),
    flag: (extras?: Fields) => decision('flag', {}, extras),
    redact: (extras?: Fields) => decision('redact', {}, extras),
    review: (ticket?: string, extras?: Fields) => decision('review', { ticket }, extras),
    block: (status?: number, extras?: Fields) => decision('block', { status }, extras),
    redirect: (location: string, status?: number, extras?: Fields) => decision('redirect', { location, status }, extras),
    pass: (extras?: Fields) => decision('allow', {}, extras),
    drop: (extras?: Fields) => decision('drop', {}, extras),
    replace: (data: unknown, extras?: Fields) => decision('replace', { data }, extras),
    close: (code?: number, reason?: string, extras?: Fields) => decision('close', { code, reason }, extras),
    challenge: (scheme: string, params?: Fields, extras?: Fields) => decision('challenge', { scheme, params }, extras),
  }
}

/** Bytes as a text of one character for each: the only form in which they leave the realm. */
export function latin1Of (bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return text
}

/** What a handler returned, ready to be written as JSON. Throws for what is no decision: `true` must not pass for "go on". */
export function sayable (outcome: unknown): unknown {
  if (outcome === undefined || outcome === null) return null
  if (typeof outcome !== 'object' || Array.isArray(outcome)) {
    throw new TypeError(`a handler returned ${typeof outcome === 'object' ? 'a list' : `a ${typeof outcome}`}: it returns nothing, or a decision like { decision: 'block', status: 403 }`)
  }
  // A generator, an Error, a Map, an object of a class have no words of their own: they would read as "go on".
  const kind: unknown = Object.getPrototypeOf(outcome)
  if (kind !== Object.prototype && kind !== null && !Object.hasOwn(outcome, 'decision')) {
    throw new TypeError(`a handler returned ${Object.prototype.toString.call(outcome)} without a 'decision' of its own: it returns nothing, or a decision like { decision: 'block', status: 403 }`)
  }
  const said = Object.entries(outcome).filter(([, value]) => value !== undefined)
  if (Object.hasOwn(outcome, 'decision') && !said.some(([name]) => name === 'decision')) throw new TypeError('a handler returned a decision that is undefined')
  return Object.fromEntries(said.map(([name, value]) => {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value
    if (bytes instanceof Uint8Array) return [name, { latin1: latin1Of(bytes) }]
    mustBeTold(value, name)
    // The agent hands it on as it is: it has no reason to look into it.
    return [name, name === 'body' && typeof value !== 'string' && value !== null ? { json: JSON.stringify(value) } : value]
  }))
}

/**
 * JSON leaves functions and symbols out, and writes `null` for a number that is none: `{ decision: block }` or `{ replaceBody: body.text }`, where a call
 * was meant, would read as "go on".
 */
export function mustBeTold (value: unknown, name: string): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw new TypeError(`'${name}' of a decision is a ${typeof value}`)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`'${name}' of a decision is ${value}`)
  // What is shown to clients or written down decides nothing.
  if (typeof value !== 'object' || value === null || name === 'body' || name === 'audit') return
  // Of a long list not even the names of its places: they would cost more than the list.
  if (Array.isArray(value)) for (const one of value as unknown[]) mustBeTold(one, name)
  else for (const [inner, one] of Object.entries(value)) mustBeTold(one, `${name}: ${inner}`)
}

/** A body in a decision. */
export interface Content {
  readonly name: string
  readonly form: 'text' | 'json' | 'bytes'
}

/** The body of a decision, which may be long and travels beside it. */
export function contentIn (decision: Readonly<Record<string, unknown>> | null): Content & { readonly text: string } | undefined {
  for (const name of ['replaceBody', 'replace_body', 'body', 'data']) {
    const value = decision?.[name]
    if (typeof value === 'string') return { name, form: 'text', text: value }
    const { latin1, json } = typeof value === 'object' && value !== null ? value as { latin1?: unknown, json?: unknown } : {}
    if (typeof latin1 === 'string') return { name, form: 'bytes', text: latin1 }
    if (typeof json === 'string' && name === 'body') return { name, form: 'json', text: json }
  }
  return undefined
}
