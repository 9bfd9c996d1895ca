import type { Finding } from '../../../proto/codec/index.ts'
import { badReply } from '../grpc-stream.ts'

/** Throws AGENT_BAD_REPLY for findings that are nowhere in the texts. */
export function checkFindings (texts: readonly string[], findings: readonly Finding[]): void {
  for (const { text, start, end, category } of findings) {
    const of = texts[text]
    if (of === undefined) throw badReply(`a finding in text ${text} of ${texts.length}`)
    if (!/^[\w.:/ -]{0,128}$/.test(category)) throw badReply('a finding of a category that is no name')
    if (start === 0 && end === 0) continue
    const bytes = Buffer.from(of)
    if (end <= start || end > bytes.length || isInside(bytes, start) || isInside(bytes, end)) throw badReply(`a finding from byte ${start} to ${end} of a text of ${bytes.length}`)
  }
}

/** Whether a character of UTF-8 goes on at that byte. */
function isInside (bytes: Buffer, at: number): boolean {
  return at < bytes.length && (bytes[at]! & 0xc0) === 0x80
}

/** The texts that change, by their numbers, with `[category]` in the place of everything that was found. Without a place: of the text as a whole; without findings: of all. */
export function redactedTexts (texts: readonly string[], findings: readonly Finding[]): Map<number, string> {
  if (findings.length === 0) return new Map(texts.map((_, i) => [i, '[redacted]']))
  const changed = new Map<number, string>()
  for (const i of new Set(findings.map(({ text }) => text))) changed.set(i, redacted(Buffer.from(texts[i]!), findings.filter(({ text }) => text === i)))
  return changed
}

function redacted (bytes: Buffer, findings: readonly Finding[]): string {
  const places = findings.map(({ category, start, end }) => ({ name: `[${category === '' ? 'redacted' : category}]`, start, end: start === 0 && end === 0 ? bytes.length : end }))
  let out = ''
  let at = 0
  let last = -1
  for (const { name, start, end } of places.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    // What overlaps is one place, under the name of the first.
    if (start >= last) {
      out += bytes.subarray(at, start).toString() + name
      last = end
    } else {
      last = Math.max(last, end)
    }
    at = last
  }
  return out + bytes.subarray(at).toString()
}
