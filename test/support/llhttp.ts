/** Node's own parser of HTTP/1.1 (llhttp), as an oracle: what it makes of bytes. Node gives it no public name. */
import { createRequire } from 'node:module'
import type { Message } from './http1-messages.ts'

interface RawParser {
  initialize (type: number, resource: object, maxHeaderSize: number, lenient: number): void
  execute (bytes: Buffer): number | Error
  finish (): number | Error | undefined
  free (): void
  [hook: number]: unknown
}

interface RawParserClass {
  new (): RawParser
  readonly REQUEST: number
  readonly RESPONSE: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
  readonly kLenientAll: number
}

/** How much llhttp forgives: nothing that it can refuse, or everything that any server of the world may want to have forgiven. */
export type Leniency = 'strict' | 'lenient'

const { HTTPParser, methods } = createRequire(import.meta.url)('node:_http_common') as { HTTPParser: RawParserClass, methods: readonly string[] }

function flagsOf (leniency: Leniency): number {
  return leniency === 'lenient' ? HTTPParser.kLenientAll : 0
}

/** All whole requests in `bytes`, and whether it refused what came then. */
export function parsedByLlhttp (bytes: Buffer, leniency: Leniency = 'strict'): { readonly messages: Message[], readonly refused: boolean } {
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.REQUEST, {}, 1024 * 1024, flagsOf(leniency))
  const messages: Message[] = []
  let early: string[] = []
  let earlyUrl = ''
  let open: { method: string, target: string, fields: string[], body: Buffer[] } | undefined
  parser[HTTPParser.kOnHeaders] = (fields: string[], url: string) => {
    early.push(...fields)
    earlyUrl += url
  }
  parser[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, fields: string[] | undefined, method: number, url: string | undefined) => {
    open = { method: methods[method] ?? '', target: earlyUrl + (url ?? ''), fields: [...early, ...fields ?? []], body: [] }
    early = []
    earlyUrl = ''
    return 0
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => { open?.body.push(Buffer.from(chunk)) }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (open !== undefined) messages.push({ ...open, body: Buffer.concat(open.body).toString('latin1'), trailers: early })
    early = []
    earlyUrl = ''
    open = undefined
  }
  const result = parser.execute(bytes)
  parser.free()
  if (typeof result === 'number' && result < bytes.length && messages.length > 0) {
    // It stops behind a request that asks for another protocol. Who does not switch reads on.
    const rest = parsedByLlhttp(bytes.subarray(result), leniency)
    return { messages: [...messages, ...rest.messages], refused: rest.refused }
  }
  return { messages, refused: typeof result !== 'number' }
}

export interface ParsedAnswer {
  readonly status: number
  readonly fields: readonly string[]
  readonly body: string
  readonly trailers: readonly string[]
}

/** All whole answers in `bytes`, to requests of one method, up to the end of the connection; interim ones included. */
export function answersByLlhttp (bytes: Buffer, method: string, leniency: Leniency = 'strict'): { readonly answers: ParsedAnswer[], readonly refused: boolean } {
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.RESPONSE, {}, 1024 * 1024, flagsOf(leniency))
  const answers: ParsedAnswer[] = []
  let early: string[] = []
  let open: { status: number, fields: string[], body: Buffer[] } | undefined
  parser[HTTPParser.kOnHeaders] = (fields: string[]) => { early.push(...fields) }
  parser[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, fields: string[] | undefined, _method: number, _url: string | undefined, status: number) => {
    open = { status, fields: [...early, ...fields ?? []], body: [] }
    early = []
    // 1: there is no body, whatever the head says.
    return method === 'HEAD' ? 1 : 0
  }
  parser[HTTPParser.kOnBody] = (chunk: Buffer) => { open?.body.push(Buffer.from(chunk)) }
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (open !== undefined) answers.push({ ...open, body: Buffer.concat(open.body).toString('latin1'), trailers: early })
    early = []
    open = undefined
  }
  const result = parser.execute(bytes)
  const end = typeof result === 'number' ? parser.finish() : result
  parser.free()
  return { answers, refused: typeof result !== 'number' || end instanceof Error }
}
