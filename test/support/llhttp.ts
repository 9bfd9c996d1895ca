/** Node's own parser of HTTP/1.1 (llhttp), as an oracle: what it makes of bytes. Node gives it no public name. */
import { createRequire } from 'node:module'
import type { Message } from './http1-messages.ts'

interface RawParser {
  initialize (type: number, resource: object, maxHeaderSize: number, lenient: number): void
  execute (bytes: Buffer): number | Error
  free (): void
  [hook: number]: unknown
}

interface RawParserClass {
  new (): RawParser
  readonly REQUEST: number
  readonly kOnHeaders: number
  readonly kOnHeadersComplete: number
  readonly kOnBody: number
  readonly kOnMessageComplete: number
}

const { HTTPParser, methods } = createRequire(import.meta.url)('node:_http_common') as { HTTPParser: RawParserClass, methods: readonly string[] }

/** All whole requests in `bytes`, and whether it refused what came then. */
export function parsedByLlhttp (bytes: Buffer): { readonly messages: Message[], readonly refused: boolean } {
  const parser = new HTTPParser()
  parser.initialize(HTTPParser.REQUEST, {}, 64 * 1024, 0)
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
  return { messages, refused: typeof result !== 'number' }
}
