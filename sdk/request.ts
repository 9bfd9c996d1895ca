import type { AgentMode, RequestHeaders, Tls } from '../proto/codec/index.ts'
import type { Chunk, ChunkAnswer } from './chunk.ts'
import { bodyText, wholeBodyJson } from './body-text.ts'
import { CookieView } from './cookies.ts'
import { HeaderView } from './headers.ts'

/** How much of a body is asked for. */
export interface LateBodyOptions {
  /** Bytes at the most, as a number or as "1MiB". Without it the operator's limit counts. */
  readonly max?: number | string
  /** What becomes of a longer body: it is refused with 413 (default), its beginning is shown, or nothing of it ("skip": the handler gets an empty one). The operator's `body-over` counts in its place. */
  readonly over?: 'block' | 'prefix' | 'skip'
}

/** A chunk that an agent meets while it loops over `request.chunks()`. Without an answer it passes. */
export interface AnswerableChunk extends Chunk {
  /** What becomes of this chunk; sent when the loop asks for the next one. */
  answer (answer: ChunkAnswer): void
}

/** Where a request gets its body from when a handler asks for it. */
export interface BodySource {
  whole (options: LateBodyOptions): Promise<Uint8Array>
  chunks (): AsyncIterableIterator<AnswerableChunk>
}

/** The request as the proxy received it, after its own checks. The same object through all handlers of an exchange. */
export class AgentRequest {
  readonly #head: RequestHeaders
  readonly #body: BodySource
  readonly #isBodyCut: () => boolean
  #cookies: CookieView | undefined
  /** The header fields; changes of them go to the upstream. */
  readonly headers: HeaderView

  /** @internal */
  constructor (head: RequestHeaders, body: BodySource, isBodyCut: () => boolean) {
    this.#head = head
    this.#body = body
    this.#isBodyCut = isBodyCut
    this.headers = new HeaderView(head.headers)
  }

  /** The request id of access log and evidence. */
  get id (): string { return this.#head.requestId }
  /** As the client sent it, case-sensitive. */
  get method (): string { return this.#head.method }
  /** The whole URL as the client named it: scheme, authority, path as received, query. For rules use `path`, which has no disguises. */
  get url (): string {
    const { scheme, authority, rawPath, query } = this.#head
    return `${scheme}://${authority}${rawPath}${query === '' ? '' : `?${query}`}`
  }

  /** "http" or "https". */
  get scheme (): string { return this.#head.scheme }
  /** Host and port as the client named them, lower case. */
  get authority (): string { return this.#head.authority }
  /** Normalised path, without the query: what routes match on. Rules belong on this one. */
  get path (): string { return this.#head.path }
  /** Path as received, one character per byte. */
  get rawPath (): string { return this.#head.rawPath }
  /** Query as received, without "?", one character per byte. */
  get query (): string { return this.#head.query }
  /** The query, decoded. Made anew on each use. */
  get searchParams (): URLSearchParams { return new URLSearchParams(this.#head.query) }
  /** "1.0", "1.1" or "2". */
  get httpVersion (): string { return this.#head.httpVersion }
  /** Client address after trusted-proxy rules; no header has to be asked for it. */
  get ip (): string { return this.#head.clientIp }
  /** Client port. */
  get port (): number { return this.#head.clientPort }
  /** Address and port of the client, after trusted-proxy rules. */
  get client (): { readonly ip: string, readonly port: number } { return { ip: this.#head.clientIp, port: this.#head.clientPort } }
  /** The cookies of the request, as it came. */
  get cookies (): CookieView {
    return this.#cookies ??= new CookieView(new HeaderView(this.#head.headers).get('cookie'))
  }

  /** Facts of the client's TLS connection, when there is one. */
  get tls (): Tls | undefined { return this.#head.tls }
  /** Name of the route that was matched. */
  get route (): string { return this.#head.route }
  /** Name of the listener that the client reached. */
  get listener (): string { return this.#head.listener }
  /** Trace context as the proxy sends it on (W3C Trace Context), empty without one. */
  get traceparent (): string { return this.#head.traceparent }
  /** Vendors' part of the trace context, empty without one. */
  get tracestate (): string { return this.#head.tracestate }
  /** Whether a body follows; its length may still turn out to be 0. */
  get hasBody (): boolean { return this.#head.hasBody }
  /** Body length in bytes when the client said it. */
  get contentLength (): number | undefined { return this.#head.contentLength }
  /**
   * Whether the body that the handler got is only its beginning, because it was longer than the operator's limit and `over` is "prefix".
   * (Or nothing of it: "skip".) Known with the body, false before.
   */
  get bodyTruncated (): boolean { return this.#isBodyCut() }
  /** What the operator does with this agent's decisions; for logs only. */
  get mode (): AgentMode { return this.#head.mode }
  /** The user that an earlier agent of the chain found out (attribute "user"). */
  get user (): string | undefined { return this.#head.attributes.get('user') }

  /**
   * In `onRequest`: the whole body, held by the proxy until the decision. Empty when there is none.
   * Rejects when the exchange ends first, for instance because the body is longer than allowed.
   */
  body (options: LateBodyOptions = {}): Promise<Uint8Array> {
    return this.#body.whole(options)
  }

  /** `body()` as UTF-8 text. */
  async text (options: LateBodyOptions = {}): Promise<string> {
    return bodyText(await this.body(options))
  }

  /** `body()` as JSON. Rejects with `InvalidBody` for what is none; let through, it refuses the request with 400. */
  async json (options: LateBodyOptions = {}): Promise<unknown> {
    return wholeBodyJson(await this.body(options), this.bodyTruncated)
  }

  /**
   * In `onRequest`: the body as it comes. Each chunk is answered when the loop asks for the next, the last one by the decision.
   * Header changes must be made before: the head goes to the upstream ahead of the first chunk.
   */
  chunks (): AsyncIterableIterator<AnswerableChunk> {
    return this.#body.chunks()
  }
}
