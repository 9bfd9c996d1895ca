import type { AgentMode, RequestHeaders, Tls } from '../proto/codec/index.ts'
import type { Chunk, ChunkAnswer } from './chunk.ts'
import { HeaderView } from './headers.ts'

export interface LateBodyOptions {
  /** Bytes at the most, as a number or as "1MiB". Without it the operator's limit counts. */
  readonly max?: number | string
  /** What the proxy does with a longer body: refuse with 413 (default), show its beginning, or not show it. */
  readonly over?: 'block' | 'prefix' | 'skip'
}

/** A chunk that an agent meets while it loops over `request.chunks()`. Without an answer it passes. */
export interface AnswerableChunk extends Chunk {
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
  readonly headers: HeaderView

  constructor (head: RequestHeaders, body: BodySource, isBodyCut: () => boolean) {
    this.#head = head
    this.#body = body
    this.#isBodyCut = isBodyCut
    this.headers = new HeaderView(head.headers)
  }

  /** The request id of access log and evidence. */
  get id (): string { return this.#head.requestId }
  get method (): string { return this.#head.method }
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
  get port (): number { return this.#head.clientPort }
  /** Facts of the client's TLS connection, when there is one. */
  get tls (): Tls | undefined { return this.#head.tls }
  get route (): string { return this.#head.route }
  get listener (): string { return this.#head.listener }
  get traceparent (): string { return this.#head.traceparent }
  get tracestate (): string { return this.#head.tracestate }
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

  /**
   * In `onRequest`: the body as it comes. Each chunk is answered when the loop asks for the next, the last one by the decision.
   * Header changes must be made before: the head goes to the upstream ahead of the first chunk.
   */
  chunks (): AsyncIterableIterator<AnswerableChunk> {
    return this.#body.chunks()
  }
}
