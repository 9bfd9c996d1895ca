import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { FrameDecoder } from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { whyOf } from './session.ts'

/** Codes of a call's end that say "gone", not "wrong": OK (the agent closed the stream), CANCELLED, UNAVAILABLE. */
const goneCodes = new Set([0, 1, 14])

export interface StreamHooks {
  /** One message. Throwing ends the stream: a `Fault` as it is, anything else as AGENT_BAD_REPLY. */
  onMessage (message: Buffer): void
  /** The receiver takes bytes again after `write` gave false. */
  onDrain (): void
  /** Once, always, and last. `ok`: the peer ended the call with status 0. */
  onEnd (fault: Fault, ok: boolean): void
}

export interface GrpcStream {
  /** Bytes of whole frames. False: the receiver is slow, wait for `onDrain`. */
  write (frames: Buffer): boolean
  /** Nothing more will be written; replies may still come. */
  end (): void
  /** Ends at once, both ways; `onEnd` is called with this fault. */
  destroy (fault: Fault): void
}

/**
 * A gRPC call over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), streaming both ways.
 * What the peer does wrong becomes AGENT_BAD_REPLY, its going away AGENT_STREAM_RESET. Throws AGENT_STREAM_RESET when the
 * session is closed already.
 */
export function openStream (session: ClientHttp2Session, path: string, maxMessageBytes: number, hooks: StreamHooks): GrpcStream {
  const stream = request(session, path)
  const frames = new FrameDecoder(maxMessageBytes)
  let ended = false
  let status: IncomingHttpHeaders | undefined

  const finish = (fault: Fault, ok = false): void => {
    if (ended) return
    ended = true
    // A call that both sides have ended is over: servers count resets, and end connections that make many.
    const over = ok && stream.writableEnded
    if (!over && !stream.destroyed) stream.close(constants.NGHTTP2_CANCEL)
    hooks.onEnd(fault, ok)
  }
  stream.on('response', (headers) => {
    const wrong = wrongHead(headers)
    if (wrong !== undefined) finish(wrong)
    else if (headers['grpc-status'] !== undefined) status = headers
  })
  stream.on('data', (chunk: Buffer) => {
    if (ended) return
    try {
      for (const message of frames.push(chunk)) hooks.onMessage(message)
    } catch (error) {
      finish(error instanceof Fault ? error : badReply(error instanceof Error ? error.message : String(error)))
    }
  })
  // The status may overtake messages that were received before it; it counts when they were all read.
  stream.on('trailers', (headers) => { status = headers })
  stream.on('end', () => {
    if (!frames.clean) finish(badReply('the stream ended inside a message'))
    else if (status !== undefined) finish(endFault(status), code(status) === 0)
  })
  stream.on('drain', () => { if (!ended) hooks.onDrain() })
  stream.on('error', (error) => finish(gone(whyOf(error))))
  stream.on('close', () => finish(gone(`the stream was closed with code ${stream.rstCode}`)))
  return {
    write: (bytes) => !ended && stream.write(bytes),
    end: () => { if (!ended) stream.end() },
    destroy: finish,
  }
}

/** One request, one response. Rejects with AGENT_TIMEOUT, AGENT_STREAM_RESET or AGENT_BAD_REPLY. */
export function unary (
  session: ClientHttp2Session, path: string, frame: Buffer, terms: { timeoutMs: number, maxMessageBytes: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | undefined
    const stream = openStream(session, path, terms.maxMessageBytes, {
      onMessage (message) {
        if (answer !== undefined) throw badReply(`more than one answer to ${path}`)
        answer = message
      },
      onDrain () {},
      onEnd (fault, ok) {
        clearTimeout(timer)
        if (ok && answer !== undefined) resolve(answer)
        else reject(ok ? badReply(`no answer to ${path}`) : fault)
      },
    })
    const timer = setTimeout(() => stream.destroy(new Fault('AGENT_TIMEOUT', `no answer to ${path} in ${terms.timeoutMs} ms`)), terms.timeoutMs)
    stream.write(frame)
    stream.end()
  })
}

function request (session: ClientHttp2Session, path: string): ClientHttp2Stream {
  try {
    return session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    }, { endStream: false })
  } catch (error) {
    throw gone(error instanceof Error ? error.message : String(error))
  }
}

function wrongHead (headers: IncomingHttpHeaders & { ':status'?: number | undefined }): Fault | undefined {
  if (headers[':status'] !== 200) return badReply(`HTTP status ${headers[':status']}`)
  const type = headers['content-type'] ?? ''
  if (!/^application\/grpc(?:\+proto)?(?:;|$)/.test(type)) return badReply(`content type ${JSON.stringify(type.slice(0, 80))}`)
  const encoding = headers['grpc-encoding']
  if (encoding !== undefined && encoding !== 'identity') return badReply(`compression ${JSON.stringify(String(encoding).slice(0, 80))}`)
  return undefined
}

function code (status: IncomingHttpHeaders): number {
  const text = status['grpc-status']
  return typeof text === 'string' && /^\d{1,2}$/.test(text) ? Number(text) : -1
}

function endFault (status: IncomingHttpHeaders): Fault {
  const number = code(status)
  const message = String(status['grpc-message'] ?? '').slice(0, 200)
  const detail = `the agent ended the call with status ${number}${message === '' ? '' : ` (${message})`}`
  return goneCodes.has(number) ? gone(detail) : badReply(detail)
}

export function badReply (detail: string): Fault {
  return new Fault('AGENT_BAD_REPLY', detail)
}

export function gone (detail: string): Fault {
  return new Fault('AGENT_STREAM_RESET', detail)
}
