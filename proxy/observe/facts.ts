import { isSensitiveName } from '../../config/schema/sensitive.ts'
import { REDACTED, redactUrl, scrubText } from './redact.ts'

export type LogFacts = Readonly<Record<string, unknown>>

/** Keys that the log line itself owns: a fact of that name would be a second field of that name. */
const reserved = new Set(['level', 'time', 'msg'])
const urlLike = new Set(['url', 'target', 'location', 'referer', 'path', 'uri'])
const MAX_DEPTH = 4
const MAX_KEYS = 50
const MAX_ITEMS = 100
const MAX_TEXT = 8_192

/**
 * Facts as plain data of bounded size without secrets: what is named like a secret is replaced, errors become type, message, code
 * and cause, everything else that JSON cannot carry becomes text. Never throws, whatever it is given.
 */
export function safeFacts (facts: LogFacts): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  let count = 0
  for (const key of Object.keys(facts)) {
    if (++count > MAX_KEYS) break
    const name = reserved.has(key) ? `${key}_` : key
    const value = facts[key]
    if (value === undefined) continue
    out[name] = hides(key, value) ? REDACTED : safeValue(key, value, 1)
    if (key === 'error' && out['code'] === undefined && !('code' in facts)) hoistCode(value, out)
  }
  return out
}

/** Counts and switches are no secrets: `tokens: 512` may be said. */
function hides (name: string, value: unknown): boolean {
  return typeof value !== 'number' && typeof value !== 'boolean' && value !== null && isSensitiveName(name)
}

function hoistCode (error: unknown, out: Record<string, unknown>): void {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') out['code'] = error.code
}

function safeValue (key: string, value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string': return safeText(key, value)
    case 'number': return Number.isFinite(value) ? value : String(value)
    case 'boolean': return value
    case 'bigint': case 'symbol': return String(value)
    case 'object': return value === null ? null : safeObject(value, depth)
    default: return undefined
  }
}

function safeText (key: string, text: string): string {
  const bounded = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  return scrubText(urlLike.has(key) ? redactUrl(bounded) : bounded)
}

function safeObject (value: object, depth: number): unknown {
  if (value instanceof Error) return safeError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[array]' : '[object]'
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => safeValue('', item, depth + 1))
  const out: Record<string, unknown> = {}
  const entries = value instanceof Map ? [...value].slice(0, MAX_KEYS) : Object.entries(value).slice(0, MAX_KEYS)
  for (const [name, item] of entries) out[String(name)] = hides(String(name), item) ? REDACTED : safeValue(String(name), item, depth + 1)
  return out
}

function safeError (error: Error, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = { type: error.name, message: safeText('', error.message) }
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) out['code'] = error.code
  // A stack is wanted where a bug shows itself, not for every refused connection.
  const unforeseen = out['code'] === undefined || out['code'] === 'INTERNAL'
  if (unforeseen && typeof error.stack === 'string') out['stack'] = safeText('', error.stack)
  if (error.cause !== undefined && depth < MAX_DEPTH) out['cause'] = safeValue('', error.cause, depth + 1)
  return out
}
