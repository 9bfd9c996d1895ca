import { collectBody } from '../../../../agents/waf/engine/body.ts'
import { collectHead } from '../../../../agents/waf/engine/collect.ts'
import type { Engine, Verdict } from '../../../../agents/waf/engine/inspection.ts'
import { createEngine, Inspection } from '../../../../agents/waf/engine/inspection.ts'
import type { InspectedRequest } from '../../../../agents/waf/engine/request.ts'
import { rules } from '../../../../agents/waf/rules/index.ts'

export const limits = { maxBytes: 1024 * 1024, maxUnpackedBytes: 1024 * 1024, maxRatio: 100, wholeFiles: false }

const engines = new Map<string, Engine>()

/** Engines are kept: compiling the table takes a moment. */
export function engineAt (paranoia: number, disabled: readonly string[] = []): Engine {
  const key = `${paranoia} ${disabled.join()}`
  const engine = engines.get(key) ?? createEngine({ rules, paranoia, disabled, threshold: 5, maxCharacters: 8 * limits.maxBytes, maxValues: 20_000 })
  engines.set(key, engine)
  return engine
}

export type Message = Partial<InspectedRequest> & { readonly body?: string | Uint8Array, readonly truncated?: boolean }

/** A request with a browser's usual head around what `message` gives. */
export function verdictOf (message: Message, engine: Engine = engineAt(1)): Verdict {
  const inspection = new Inspection(engine)
  const rawPath = message.rawPath ?? '/'
  const request: InspectedRequest = {
    method: message.method ?? (message.body === undefined ? 'GET' : 'POST'), rawPath, path: message.path ?? rawPath, query: message.query ?? '',
    headers: [['Host', 'example.com'], ['Accept', '*/*'], ...message.headers ?? []]
  }
  collectHead(request, inspection)
  if (message.body !== undefined) {
    const bytes = typeof message.body === 'string' ? Buffer.from(message.body) : message.body
    collectBody(request, bytes, message.truncated ?? false, limits, inspection)
  }
  return inspection.verdict()
}

/** Percent-encodes everything but letters and digits. */
export function percent (text: string): string {
  return [...Buffer.from(text)].map((byte) => /[A-Za-z0-9]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Bytes of a header: UTF-8 as latin1; control characters cannot stand there and come percent-encoded. */
function headerText (text: string): string {
  const bytes = Buffer.from(text).toString('latin1')
  return /[\x00-\x08\x0a-\x1f\x7f]/.test(bytes) ? percent(text) : bytes
}

const type = (value: string) => [['Content-Type', value]] as const

/** The places of a request that an attacker fills, each with the encoding that belongs to it. */
export const carriers: Readonly<Record<string, (text: string) => Message>> = {
  path: (text) => ({ rawPath: `/shop/${percent(text)}` }),
  query: (text) => ({ query: `page=1&q=${percent(text)}&sort=name` }),
  'query name': (text) => ({ query: `${percent(text)}=1` }),
  header: (text) => ({ headers: [['X-Custom', headerText(text)]] }),
  'user agent': (text) => ({ headers: [['User-Agent', headerText(text)]] }),
  referer: (text) => ({ headers: [['Referer', `https://example.com/?q=${percent(text)}`]] }),
  cookie: (text) => ({ headers: [['Cookie', `theme=dark; pref=${percent(text)}; x=1`]] }),
  form: (text) => ({ headers: type('application/x-www-form-urlencoded'), body: `a=1&text=${percent(text)}&b=2` }),
  json: (text) => ({ headers: type('application/json'), body: JSON.stringify({ a: 1, list: [{ text }] }) }),
  'json escaped': (text) => ({
    headers: type('application/json; charset=utf-8'),
    body: `{"text":"${[...text].flatMap((char) => char.split('')).map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"}`
  }),
  multipart: (text) => ({
    headers: type('multipart/form-data; boundary=----b0undary'),
    body: `------b0undary\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n------b0undary\r\nContent-Disposition: form-data; name="text"\r\n\r\n${text}\r\n------b0undary--\r\n`
  }),
  text: (text) => ({ headers: type('text/plain'), body: text })
}
