import { staticTable } from './static-table.ts'

/** `name: value` of the static table as one octet. */
const whole = new Map<string, ReadonlyMap<string, string>>()
/** How a literal begins: a reference to its name, or the name itself. Of names of the static table for good, of others as many as `maxNames`. */
const begins = new Map<string, string>()

/** Names come from upstreams, too: what is remembered about them is bounded. */
const maxNames = 1024
const longestRememberedName = 64

/** Values that no table of any hop may keep (RFC 7541 section 7.1.3): their literals say so. */
const secret: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

staticTable.forEach(([name, value], at) => {
  const values = new Map(whole.get(name))
  if (value !== '') whole.set(name, values.set(value, String.fromCharCode(0x80 | at + 1)))
  if (!begins.has(name)) begins.set(name, integer(secret.has(name) ? 0x10 : 0, 0x0f, at + 1))
})

const statuses = new Map<string, string>()

/**
 * Header blocks (RFC 7541) as latin1 text. Nothing is put into the table of the other side: blocks are a few dozen bytes longer than they could
 * be, and cost a fraction of what looking things up would; what one message says can tell nothing about another (CRIME).
 */
export function encodeFields (fields: readonly string[]): string {
  let block = ''
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    const known = whole.get(name)?.get(value)
    block += known ?? beginOf(name) + length(value) + value
  }
  return block
}

/** ":status" of an answer, in front of the others. */
export function encodeStatus (status: number): string {
  const text = String(status)
  let coded = statuses.get(text)
  if (coded === undefined) statuses.set(text, coded = encodeFields([':status', text]))
  return coded
}

/** Tells the other side that its table stays empty, whatever size it allows. */
export const emptyTable = '\x20'

function beginOf (name: string): string {
  const known = begins.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const begin = begins.get(lower) ?? '\0' + length(lower) + lower
  if (begins.size < maxNames && name.length <= longestRememberedName) begins.set(name, begin)
  return begin
}

function length (text: string): string {
  return text.length < 0x7f ? String.fromCharCode(text.length) : integer(0, 0x7f, text.length)
}

/** RFC 7541 section 5.1. */
function integer (pattern: number, mask: number, value: number): string {
  if (value < mask) return String.fromCharCode(pattern | value)
  let text = String.fromCharCode(pattern | mask)
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) text += String.fromCharCode(rest & 0x7f | 0x80)
  return text + String.fromCharCode(rest)
}
