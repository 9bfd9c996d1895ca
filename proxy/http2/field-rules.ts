import { isTokenCode, isValueCode } from '../http1/characters.ts'

/** Fields that speak about a connection (RFC 9113 section 8.2.2): what frames say is not said twice. */
const ofConnections: ReadonlySet<string> = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade'])

const space = 0x20
const tab = 0x09

/** What makes a message with this field malformed (RFC 9113 section 8.2), or `undefined`. Pseudo-fields are told apart elsewhere. */
export function fieldFlaw (name: string, value: string): string | undefined {
  return nameFlaw(name) ?? valueFlaw(value) ?? connectionFlaw(name, value)
}

function nameFlaw (name: string): string | undefined {
  const start = name.charCodeAt(0) === 0x3a ? 1 : 0
  if (name.length === start) return 'a field without a name'
  for (let at = start; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code >= 0x41 && code <= 0x5a) return 'an upper-case letter in a field name'
    if (!isTokenCode(code)) return 'a character in a field name that no name has'
  }
  return undefined
}

function valueFlaw (value: string): string | undefined {
  const { length } = value
  for (let at = 0; at < length; at++) if (!isValueCode(value.charCodeAt(at))) return 'a control character in a field value'
  if (length > 0 && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(length - 1)))) return 'white space around a field value'
  return undefined
}

function isSpace (code: number): boolean {
  return code === space || code === tab
}

function connectionFlaw (name: string, value: string): string | undefined {
  if (name === 'te') return value.toLowerCase() === 'trailers' ? undefined : 'te other than trailers'
  return ofConnections.has(name) ? `${name}, which HTTP/2 does not have` : undefined
}
