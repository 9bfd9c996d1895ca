import type { ResponseHeaders } from '../proto/codec/index.ts'
import { HeaderView } from './headers.ts'

/** The head of an answer on its way to the client. */
export class AgentResponse {
  readonly #head: ResponseHeaders
  readonly #isBodyCut: () => boolean
  /** The header fields; changes of them go to the client. */
  readonly headers: HeaderView

  /** @internal */
  constructor (head: ResponseHeaders, isBodyCut: () => boolean) {
    this.#head = head
    this.#isBodyCut = isBodyCut
    this.headers = new HeaderView(head.headers)
  }

  /** Status code, 100–599. */
  get status (): number { return this.#head.status }
  /** Whether the status is from 200 to 299. */
  get ok (): boolean { return this.#head.status >= 200 && this.#head.status <= 299 }
  /** Name of the upstream that answered; empty when the proxy or an agent did. */
  get upstream (): string { return this.#head.upstream }
  /** Address of the target that answered. */
  get target (): string { return this.#head.target }
  /** Whether a body follows; its length may still turn out to be 0. */
  get hasBody (): boolean { return this.#head.hasBody }
  /** Body length in bytes when the upstream said it. */
  get contentLength (): number | undefined { return this.#head.contentLength }
  /** Whether the body that the handler got is only its beginning: as `bodyTruncated` of the request. */
  get bodyTruncated (): boolean { return this.#isBodyCut() }
}
