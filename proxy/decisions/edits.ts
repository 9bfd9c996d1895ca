import type { HeaderEdit as WireEdit } from '../../proto/codec/index.ts'
import { canonicalName, isAliasOf, type HeaderEdit, type HeaderList } from '../pipeline/headers.ts'
import { badReply } from './grpc-stream.ts'

/** Most edits in one reply, and most characters of their names and values together. */
const maxEdits = 128
const maxEditChars = 64 * 1024

/**
 * Fields that belong to a connection or to the framing, not to the message (RFC 9110 sections 7.6.1 and 8.6, RFC 9112 section 6), Host, on which
 * the choice of the route rests, and what the proxy itself says about where a request comes from. By canonical name, so that an alias does
 * not slip through.
 */
const forbidden = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'proxy', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'http2-settings', 'content-length', 'host', 'expect',
  'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip', 'x-request-id',
])

/** token (RFC 9110 section 5.6.2) */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/
/** field-value (RFC 9110 section 5.5): visible characters, space, tab, obs-text. */
const value = /^[\t\x20-\x7e\x80-\xff]*$/

export function isToken (text: string): boolean {
  return token.test(text)
}

/** Edits that may be applied; throws AGENT_BAD_REPLY when one may not. */
export function checkedEdits (edits: readonly WireEdit[]): readonly HeaderEdit[] {
  if (edits.length === 0) return noEdits
  if (edits.length > maxEdits) throw badReply(`${edits.length} header edits, at most ${maxEdits} are taken`)
  let chars = 0
  return edits.map((edit) => {
    const { action, name } = edit
    if (action === 'unspecified' || action === 'unrecognized') throw badReply('a header edit without a known action')
    checkName(name)
    chars += name.length + edit.value.length
    if (chars > maxEditChars) throw badReply(`header edits of more than ${maxEditChars} characters`)
    return { action, name, value: checkedValue(name, edit.value) }
  })
}

/** Field lines of an answer an agent makes; throws AGENT_BAD_REPLY. */
export function checkedLines (lines: readonly string[]): string[] {
  const checked: string[] = []
  if (lines.length > 2 * maxEdits) throw badReply(`${lines.length / 2} header fields, at most ${maxEdits} are taken`)
  for (let i = 0; i < lines.length; i += 2) {
    // Flat pairs: both exist.
    const name = lines[i]!
    checkName(name)
    checked.push(name, checkedValue(name, lines[i + 1]!))
  }
  return checked
}

function checkName (name: string): void {
  if (!token.test(name)) throw badReply(`a header name that is none: ${JSON.stringify(name.slice(0, 80))}`)
  if (forbidden.has(canonicalName(name))) throw badReply(`an edit of ${name}, which belongs to the proxy`)
}

function checkedValue (name: string, text: string): string {
  if (text.length > maxEditChars || !value.test(text)) throw badReply(`a value of ${name} with bytes that no header value may have`)
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}

/**
 * Changes a request. Setting or removing a field takes its aliases (`x_user`, `x.user`) along: the upstream may read them as the same
 * variable, and what the agent said would be one of two answers.
 */
export function editRequest (headers: HeaderList, edits: readonly HeaderEdit[]): void {
  for (const edit of edits) {
    if (edit.action !== 'append') {
      const canonical = canonicalName(edit.name)
      const lower = edit.name.toLowerCase()
      headers.removeIf((name) => isAliasOf(name, canonical) && name.toLowerCase() !== lower)
    }
    headers.edit(edit)
  }
}

export function editResponse (headers: HeaderList, edits: readonly HeaderEdit[]): void {
  for (const edit of edits) headers.edit(edit)
}

/** Says something about bytes that are no longer sent (RFC 9110 sections 8.8 and 14.3, RFC 9530). */
const aboutOldBody = ['etag', 'content-md5', 'digest', 'content-digest', 'repr-digest', 'accept-ranges'] as const

/** For a message whose body was replaced. */
export function forgetOldBody (headers: HeaderList): void {
  for (const name of aboutOldBody) headers.remove(name)
}

export const noEdits: readonly HeaderEdit[] = []
