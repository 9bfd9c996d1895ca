import { isFieldValue, isToken } from '../http1/characters.ts'
import type { Source } from '../http2/index.ts'
import type { Body } from '../pipeline/body.ts'
import type { Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { httpDate } from './date.ts'

/** What speaks about a connection, or is said in another way here. Of the lengths that `answerFields` looks at. */
const notSent: ReadonlySet<string> = new Set([
  'upgrade', 'connection', 'keep-alive', 'content-length', 'proxy-connection', 'transfer-encoding',
])

/** Whether the answer has bytes (RFC 9110 section 6.4.1). */
export function hasBody (status: number, method: string): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}

/** The head of an answer as a stream takes it. */
export function answerFields (status: number, reply: Pick<Reply, 'headers' | 'body'>, method: string): string[] {
  const fields: string[] = [':status', String(status)]
  const dated = addFields(fields, reply.headers.raw())
  if (!dated) fields.push('date', httpDate())
  // "Trailers-Only" of gRPC: a head that ends its stream says all there is to say.
  const headOnly = reply.body === undefined && (!hasBody(status, method) || reply.headers.has('grpc-status'))
  const length = headOnly ? undefined : reply.body === undefined ? 0 : reply.body.length
  // RFC 9110 section 8.6: the answer to HEAD may tell the length the body would have; 304 likewise.
  if (length !== undefined && status !== 204) fields.push('content-length', String(length))
  return fields
}

/** An interim head: nothing about a body, or about the time, is said in it. */
export function interimFields (status: number, raw: readonly string[]): string[] {
  const fields: string[] = [':status', String(status)]
  addFields(fields, raw)
  return fields
}

/** True when a Date was among them. */
function addFields (fields: string[], raw: readonly string[]): boolean {
  let dated = false
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    const { length } = name
    if (length === 4) dated ||= name.toLowerCase() === 'date'
    else if ((length === 7 || length === 10 || length === 14 || length === 16 || length === 17) && notSent.has(name.toLowerCase())) continue
    // Agents and filters write fields as well: what is no field is one for the next reader, or makes the whole answer none.
    if (!isToken(name) || !isFieldValue(value)) throw new Fault('INTERNAL', `the head of the answer is not valid HTTP: the field ${JSON.stringify(name)}`)
    fields.push(name, trimmed(value))
  }
  return dated
}

/** White space around a value, which HTTP/1.1 takes for nothing, makes a message of HTTP/2 malformed. */
function trimmed (value: string): string {
  const first = value.charCodeAt(0)
  const last = value.charCodeAt(value.length - 1)
  return first === 0x20 || first === 0x09 || last === 0x20 || last === 0x09 ? value.replace(/^[ \t]+|[ \t]+$/g, '') : value
}

/** The body of an answer on its way to a stream: counted, and held to what it said about its length. */
export class AnswerSource implements Source {
  readonly length: number | undefined
  readonly #body: Body
  readonly #exchange: Exchange | undefined
  #bytes = 0

  constructor (body: Body, exchange: Exchange | undefined) {
    this.length = body.length
    this.#body = body
    this.#exchange = exchange
  }

  get trailers (): Body['trailers'] {
    return this.#body.trailers
  }

  read (): Buffer | undefined | Promise<Buffer | undefined> {
    const next = this.#body.read()
    return next instanceof Promise ? next.then((chunk) => this.#counted(chunk)) : this.#counted(next)
  }

  #counted (chunk: Buffer | undefined): Buffer | undefined {
    const { length } = this
    if (chunk === undefined) {
      if (length !== undefined && this.#bytes < length) throw new Fault('UPSTREAM_RESET', `a body of ${this.#bytes} instead of ${length} bytes`)
      return undefined
    }
    this.#bytes += chunk.length
    if (length !== undefined && this.#bytes > length) throw new Fault('INTERNAL', `a body longer than its ${length} bytes`)
    if (this.#exchange !== undefined) this.#exchange.responseBytes = this.#bytes
    return chunk
  }
}
