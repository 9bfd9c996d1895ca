import { FrameDecoder } from '../../proto/codec/index.ts'
import type { Broken, Source, Stream } from '../http2/index.ts'
import { Fault } from '../pipeline/faults.ts'
import type { AgentSession, Opener } from './session.ts'

/** Codes of a call's end that say "gone", not "wrong": OK (the agent closed the stream), CANCELLED, UNAVAILABLE. */
const goneCodes: ReadonlySet<number> = new Set([0, 1, 14])

/** The agent has no such call. */
export const unimplemented = 12

/** The agent ended the call, with a status of gRPC (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md) and, as it came, a message. */
export class CallEnded extends Fault {
  readonly status: number

  constructor (status: number, encodedMessage: string) {
    const message = decodedMessage(encodedMessage).slice(0, 200)
    super(goneCodes.has(status) ? 'AGENT_STREAM_RESET' : 'AGENT_BAD_REPLY', `the agent ended the call with status ${status}${message === '' ? '' : ` (${message})`}`)
    this.status = status
  }
}

export interface StreamHooks {
  /** One message. Throwing ends the stream: a `Fault` as it is, anything else as AGENT_BAD_REPLY. */
  onMessage (message: Buffer): void
  /** Once, always, and last. `ok`: the peer ended the call with status 0. */
  onEnd (fault: Fault, ok: boolean): void
}

/** What is said in a call, pulled when there is room for it. */
export interface Sayings {
  /** Bytes of whole frames (never empty); `null`: nothing now, and `GrpcStream.wake` says when there is; `undefined`: nothing any more. */
  read (): Buffer | null | undefined
}

export interface GrpcStream {
  /** There is something to say. `urgent`: it is not worth waiting for what else this turn of the event loop brings. */
  wake (urgent: boolean): void
  /** Ends at once, both ways; `onEnd` is called with this fault. */
  destroy (fault: Fault): void
}

/**
 * A gRPC call over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), streaming both ways.
 * What the peer does wrong becomes AGENT_BAD_REPLY, its going away AGENT_STREAM_RESET. Throws AGENT_STREAM_RESET when the
 * session takes no calls any more.
 */
export function openStream (session: AgentSession, path: string, maxMessageBytes: number, sayings: Sayings, hooks: StreamHooks): GrpcStream {
  if (session.leaving) throw gone('the agent closes the connection')
  const call = new Call(session, maxMessageBytes, sayings, hooks)
  session.open(call, path)
  return call
}

class Call implements GrpcStream, Opener {
  readonly source: Source
  readonly #session: AgentSession
  readonly #hooks: StreamHooks
  readonly #frames: FrameDecoder
  #stream: Stream | undefined = undefined
  /** Where its status is, once it has one. */
  #status: readonly string[] = []
  #ended = false

  constructor (session: AgentSession, maxMessageBytes: number, sayings: Sayings, hooks: StreamHooks) {
    this.#session = session
    this.#hooks = hooks
    this.#frames = new FrameDecoder(maxMessageBytes)
    this.source = { length: undefined, trailers: undefined, read: () => sayings.read() }
  }

  wake (urgent: boolean): void {
    this.#stream?.wake(urgent)
  }

  destroy (fault: Fault): void {
    this.#finish(fault, false)
  }

  // What the connection tells.

  opened (stream: Stream): void {
    this.#stream = stream
  }

  head (fields: readonly string[], ended: boolean): void {
    const status = fieldOf(fields, ':status')
    const wrong = wrongHead(status, fields)
    if (wrong !== undefined) return this.#finish(wrong, false)
    this.#status = fields
    if (ended) this.#over()
  }

  data (bytes: Buffer, ended: boolean): void {
    try {
      for (const message of this.#frames.push(bytes)) {
        // The one before may have ended it.
        if (this.#ended) return
        this.#hooks.onMessage(message)
      }
    } catch (error) {
      return this.#finish(error instanceof Fault ? error : badReply(error instanceof Error ? error.message : String(error)), false)
    }
    this.#stream?.consumed(bytes.length)
    if (ended) this.#over()
  }

  trailers (fields: readonly string[]): void {
    this.#status = fields
    this.#over()
  }

  sent (): void {}

  failed (error: unknown): void {
    this.#finish(gone(String(error)), false)
  }

  broken ({ by, detail }: Broken): void {
    if (by === 'us') return this.#finish(badReply(detail), false)
    this.#finish(gone(by === 'peer' ? `the stream was ${detail}` : this.#session.why ?? detail), false)
  }

  /** The agent has said all it says. */
  #over (): void {
    const status = fieldOf(this.#status, 'grpc-status')
    if (!this.#frames.clean) this.#finish(badReply('the stream ended inside a message'), false)
    else if (status === '') this.#finish(gone('the stream ended without a status'), false)
    else if (!/^\d{1,2}$/.test(status)) this.#finish(badReply(`the stream ended with status ${JSON.stringify(status.slice(0, 80))}`), false)
    else this.#finish(new CallEnded(Number(status), fieldOf(this.#status, 'grpc-message')), Number(status) === 0)
  }

  #finish (fault: Fault, ok: boolean): void {
    if (this.#ended) return
    this.#ended = true
    if (this.#stream === undefined) this.#session.forget(this)
    // Resets it, unless both sides have ended.
    else this.#stream.release()
    this.#hooks.onEnd(fault, ok)
  }
}

/** One request, one response. Rejects with AGENT_TIMEOUT, AGENT_STREAM_RESET or AGENT_BAD_REPLY. */
export function unary (
  session: AgentSession, path: string, frame: Buffer, terms: { timeoutMs: number, maxMessageBytes: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined
    const stream = openStream(session, path, terms.maxMessageBytes, saying(frame), {
      onMessage (message) {
        if (answer !== undefined) throw badReply(`more than one answer to ${path}`)
        answer = message
      },
      onEnd (fault, ok) {
        clearTimeout(timer)
        if (ok && answer !== undefined) resolve(answer)
        else reject(ok ? badReply(`no answer to ${path}`) : fault)
      },
    })
    const timer = setTimeout(() => stream.destroy(new Fault('AGENT_TIMEOUT', `no answer to ${path} in ${terms.timeoutMs} ms`)), terms.timeoutMs)
  })
}

/** One request, whatever comes back for as long as it comes. */
export function saying (frame: Buffer): Sayings {
  let rest: Buffer | undefined = frame
  return {
    read () {
      const next = rest
      rest = undefined
      return next
    },
  }
}

function fieldOf (fields: readonly string[], name: string): string {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]! // Flat pairs.
  return ''
}

function wrongHead (status: string, fields: readonly string[]): Fault | undefined {
  if (status !== '200') return badReply(`HTTP status ${status.slice(0, 80)}`)
  const type = fieldOf(fields, 'content-type')
  if (!/^application\/grpc(?:\+proto)?(?:;|$)/.test(type)) return badReply(`content type ${JSON.stringify(type.slice(0, 80))}`)
  const encoding = fieldOf(fields, 'grpc-encoding')
  if (encoding !== '' && encoding !== 'identity') return badReply(`compression ${JSON.stringify(encoding.slice(0, 80))}`)
  return undefined
}

/** Percent-encoded UTF-8, unless somebody forgot that; stories of exceptions have several lines. */
function decodedMessage (text: string): string {
  try {
    return decodeURIComponent(text).replace(/\p{Cc}+/gu, ' ').trim()
  } catch {
    return text
  }
}

export function badReply (detail: string): Fault {
  return new Fault('AGENT_BAD_REPLY', detail)
}

export function gone (detail: string): Fault {
  return new Fault('AGENT_STREAM_RESET', detail)
}
