import { HeaderList } from '../pipeline/headers.ts'

export interface AnswerHead {
  readonly status: number
  /** As received, without the fields that end at this hop. */
  readonly headers: HeaderList
  /** Value of content-length. */
  readonly length: number | undefined
}

/** Fields about this hop that are no matter of framing, and the length, which is the body's. */
const dropped: ReadonlySet<string> = new Set(['te', 'content-length', 'http2-settings', 'proxy-authenticate'])

/** Reads the head of an answer on a stream (RFC 9113 section 8.3.2). Gives the reason when it is not one the proxy can pass on. `fields` are taken over. */
export function readAnswerFields (fields: string[]): AnswerHead | string {
  const status = fields[1]
  if (fields[0] !== ':status' || status === undefined || !/^[1-9]\d\d$/.test(status)) return 'no valid :status'
  let length: number | undefined
  let kept = 0
  for (let i = 2; i < fields.length; i += 2) {
    const name = fields[i]!
    const value = fields[i + 1]!
    if (name.startsWith(':')) return `the pseudo-field ${JSON.stringify(name.slice(0, 40))} in an answer`
    if (dropped.has(name)) {
      if (name !== 'content-length') continue
      if (length !== undefined) return 'more than one content-length'
      if (!/^\d{1,15}$/.test(value)) return `content-length ${JSON.stringify(value.slice(0, 40))}`
      length = Number(value)
      continue
    }
    fields[kept++] = name
    fields[kept++] = value
  }
  fields.length = kept
  return { status: Number(status), headers: new HeaderList(fields), length }
}
