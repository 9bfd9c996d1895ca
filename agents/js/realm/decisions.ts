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
  return Object.fromEntries(Object.entries(outcome).filter(([, value]) => value !== undefined).map(([name, value]) => {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value
    return [name, bytes instanceof Uint8Array ? { latin1: latin1Of(bytes) } : bytes]
  }))
}
