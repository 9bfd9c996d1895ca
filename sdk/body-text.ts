import { AgentFailure, InvalidBody } from './failure.ts'

const lenient = new TextDecoder()
const strict = new TextDecoder('utf-8', { fatal: true })

/** A body as UTF-8 text. What is no UTF-8 becomes U+FFFD, as in `Response.text()` of fetch. */
export function bodyText (body: Uint8Array): string {
  return lenient.decode(body)
}

/** A body as JSON. Throws `InvalidBody` for what is none: a handler that lets it through refuses the request with 400. */
export function bodyJson (body: Uint8Array): unknown {
  try {
    // JSON.parse gives `any`, which would let everything pass that follows.
    return JSON.parse(strict.decode(body)) as unknown
  } catch (error) {
    // The message of the parser quotes the body.
    throw new InvalidBody('the body is not JSON', { cause: error })
  }
}

/** The same for a body that may have been cut off: half of a JSON text is nobody's fault but the limit's. */
export function wholeBodyJson (body: Uint8Array, isCut: boolean): unknown {
  if (isCut) throw new AgentFailure('body_cut', 'the body is longer than the limit, and its beginning is not JSON; use over: "block"')
  return bodyJson(body)
}
