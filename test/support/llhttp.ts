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

/** What the hooks of a parser do with what it finds; another set for each reading. */
interface Hooks {
  readonly headers: (fields: string[], url: string) => void
  /** 1: there is no body, whatever the head says. */
  readonly head: (fields: string[] | undefined, method: number, url: string | undefined, status: number) => 0 | 1
  readonly body: (chunk: Buffer) => void
  readonly over: () => void
}

let hooks: Hooks

/** The same for every reading, as Node keeps its own for the next connection: to make one takes far longer than most of what it reads. */
const parser = new HTTPParser()
parser[HTTPParser.kOnHeaders] = (fields: string[], url: string) => hooks.headers(fields, url)
parser[HTTPParser.kOnHeadersComplete] = (_major: number, _minor: number, fields: string[] | undefined, method: number, url: string | undefined, status: number) => hooks.head(fields, method, url, status)
parser[HTTPParser.kOnBody] = (chunk: Buffer) => hooks.body(chunk)
parser[HTTPParser.kOnMessageComplete] = () => hooks.over()

/** The parser as a new one. */
function parserFor (type: number, leniency: Leniency, given: Hooks): RawParser {
  hooks = given
  parser.initialize(type, {}, 1024 * 1024, leniency === 'lenient' ? HTTPParser.kLenientAll : 0)
  return parser
}

/** All whole requests in `bytes`, and whether it refused what came then. */
export function parsedByLlhttp (bytes: Buffer, leniency: Leniency = 'strict'): { readonly messages: Message[], readonly refused: boolean } {
  const messages: Message[] = []
  let early: string[] = []
  let earlyUrl = ''
  let open: { method: string, target: string, fields: string[], body: Buffer[] } | undefined
  const reading = parserFor(HTTPParser.REQUEST, leniency, {
    headers (fields, url) {
      early.push(...fields)
      earlyUrl += url
    },
    head (fields, method, url) {
      open = { method: methods[method] ?? '', target: earlyUrl + (url ?? ''), fields: [...early, ...fields ?? []], body: [] }
      early = []
      earlyUrl = ''
      return 0
    },
    body (chunk) { open?.body.push(Buffer.from(chunk)) },
    over () {
      if (open !== undefined) messages.push({ ...open, body: Buffer.concat(open.body).toString('latin1'), trailers: early })
      early = []
      earlyUrl = ''
      open = undefined
    },
  })
  const result = reading.execute(bytes)
  reading.free()
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
  const answers: ParsedAnswer[] = []
  let early: string[] = []
  let open: { status: number, fields: string[], body: Buffer[] } | undefined
  const reading = parserFor(HTTPParser.RESPONSE, leniency, {
    headers (fields) { early.push(...fields) },
    head (fields, _method, _url, status) {
      open = { status, fields: [...early, ...fields ?? []], body: [] }
      early = []
      return method === 'HEAD' ? 1 : 0
    },
    body (chunk) { open?.body.push(Buffer.from(chunk)) },
    over () {
      if (open !== undefined) answers.push({ ...open, body: Buffer.concat(open.body).toString('latin1'), trailers: early })
      early = []
      open = undefined
    },
  })
  const result = reading.execute(bytes)
  const end = typeof result === 'number' ? reading.finish() : result
  reading.free()
  return { answers, refused: typeof result !== 'number' || end instanceof Error }
}
