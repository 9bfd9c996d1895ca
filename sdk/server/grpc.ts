import {
  constants, createSecureServer, createServer, type Http2SecureServer, type Http2Server, type IncomingHttpHeaders, type SecureServerOptions,
  type ServerHttp2Session, type ServerHttp2Stream, type ServerOptions,
} from 'node:http2'
import type { ListenOptions } from 'node:net'
import type { Duplex } from 'node:stream'
import { BadFrame, frame, FrameDecoder } from '../../proto/codec/index.ts'

/** Codes of a call's end (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), as many as are used here. */
export const status = { ok: 0, invalidArgument: 3, notFound: 5, resourceExhausted: 8, unimplemented: 12, internal: 13 } as const

/** One call of a client, on the server's side. */
export interface Call {
  /** One message. False: the client is slow, `onDrain` tells when it takes more. */
  write (message: Buffer): boolean
  /** Ends the call, after what was written. Later calls of `write` and `end` do nothing. */
  end (code?: number, message?: string): void
  /** Stops and goes on reading what the client sends. */
  pause (): void
  resume (): void
}

export interface CallHooks {
  /** What it throws ends the call: a `CallError` as it says, anything else as INTERNAL. */
  onMessage (message: Buffer): void
  /** The client has said all it will say. */
  onEnd (): void
  onDrain? (): void
  /** Once, last, however the call ended: also when the client is gone. */
  onClose? (): void
}

export type Method = (call: Call) => CallHooks

/** Ends a call with this code and sentence. */
export class CallError extends Error {
  readonly code: number

  constructor (code: number, message: string) {
    super(message)
    this.name = 'CallError'
    this.code = code
  }
}

export interface GrpcServer {
  /** Port of a TCP address. Rejects when it cannot be bound. */
  listen (where: ListenOptions): Promise<number | undefined>
  /** Serves on a connection that somebody else made. */
  accept (connection: Duplex): void
  /** No new connections and calls; resolves when the open ones are over, which are cut after `timeoutMs`. */
  close (timeoutMs: number): Promise<void>
}

export interface GrpcOptions {
  readonly maxMessageBytes: number
  readonly tls?: Pick<SecureServerOptions, 'cert' | 'key' | 'ca' | 'requestCert' | 'rejectUnauthorized'> | undefined
}

/** A proxy uses a handful of streams; health tools come and go. */
const maxStreams = 256
/** Bodies come in pieces of up to 256 KiB: with less on the way the sender would wait for every one of them to be acknowledged. */
const streamWindowBytes = 4 * 1024 * 1024
const connectionWindowBytes = 16 * 1024 * 1024

/**
 * gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md), as much of it as an agent needs: methods by their paths, no
 * compression, no metadata. Deadlines are the client's to keep: it cancels.
 */
export function grpcServer (methods: ReadonlyMap<string, Method>, { maxMessageBytes, tls }: GrpcOptions): GrpcServer {
  const options: ServerOptions = { maxSessionMemory: 64, settings: { maxConcurrentStreams: maxStreams, initialWindowSize: streamWindowBytes } }
  const server: Http2Server | Http2SecureServer = tls === undefined ? createServer(options) : createSecureServer({ ...options, ...tls, allowHTTP1: false })
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    // Its streams are told; nobody else wants to know.
    session.on('error', () => {})
    session.setLocalWindowSize(connectionWindowBytes)
  })
  server.on('sessionError', () => {})
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => serveCall(stream, headers, methods, maxMessageBytes))
  return {
    listen: (where) => new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(where, () => {
        server.off('error', reject)
        // Out of descriptors: those who have a connection keep it.
        server.on('error', () => {})
        const address = server.address()
        resolve(typeof address === 'object' && address !== null ? address.port : undefined)
      })
    }),
    accept: (connection) => void server.emit('connection', connection),
    close: (timeoutMs) => new Promise((resolve) => {
      const timer = setTimeout(() => { for (const session of sessions) session.destroy() }, timeoutMs)
      const look = (): void => {
        if (sessions.size > 0) return
        clearTimeout(timer)
        resolve()
      }
      if (server.listening) server.close()
      for (const session of sessions) {
        session.once('close', look)
        session.close()
      }
      look()
    }),
  }
}

function serveCall (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, methods: ReadonlyMap<string, Method>, maxMessageBytes: number): void {
  stream.on('error', () => {})
  const path = String(headers[':path'])
  if (headers[':method'] !== 'POST' || !/^application\/grpc(?:\+proto)?(?:;|$)/.test(headers['content-type'] ?? '')) {
    stream.respond({ ':status': headers[':method'] === 'POST' ? 415 : 405 }, { endStream: true })
    return stream.close(constants.NGHTTP2_NO_ERROR)
  }
  const call = callOn(stream)
  const method = methods.get(path)
  if (method === undefined) return call.end(status.unimplemented, `no method ${path.slice(0, 200)}`)
  const encoding = headers['grpc-encoding']
  if (encoding !== undefined && encoding !== 'identity') return call.end(status.unimplemented, 'messages are taken without compression only')
  const hooks = method(call)
  const frames = new FrameDecoder(maxMessageBytes)
  stream.on('data', (data: Buffer) => {
    try {
      for (const message of frames.push(data)) {
        if (call.ended) return
        hooks.onMessage(message)
      }
    } catch (error) {
      call.end(codeOf(error), error instanceof Error ? error.message : String(error))
    }
  })
  stream.on('end', () => {
    // What was refused is not carried out.
    if (call.ended) return
    if (!frames.clean) call.end(status.internal, 'the call ended inside a message')
    else hooks.onEnd()
  })
  stream.on('drain', () => hooks.onDrain?.())
  stream.on('close', () => hooks.onClose?.())
}

function codeOf (error: unknown): number {
  if (error instanceof CallError) return error.code
  return error instanceof BadFrame && error.isTooLarge ? status.resourceExhausted : status.internal
}

const head = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity' } as const

function callOn (stream: ServerHttp2Stream): Call & { readonly ended: boolean } {
  let ended = false
  return {
    get ended () { return ended || stream.destroyed },
    write (message) {
      if (ended || stream.destroyed) return true
      if (!stream.headersSent) begin(stream)
      return stream.write(frame(message))
    },
    end (code = status.ok, message = '') {
      if (ended || stream.destroyed) return
      ended = true
      const outcome = { 'grpc-status': String(code), ...message === '' ? {} : { 'grpc-message': encodeMessage(message) } }
      if (!stream.headersSent) {
        stream.respond({ ...head, ...outcome }, { endStream: true })
      } else {
        stream.once('wantTrailers', () => stream.sendTrailers(outcome))
        stream.end()
      }
      // Who is still speaking may stop (RFC 9113 section 8.1).
      if (!stream.readableEnded) stream.once('finish', () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)))
    },
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
  }
}

function begin (stream: ServerHttp2Stream): void {
  stream.respond(head, { waitForTrailers: true })
}

/** Percent-encoded but for printable ASCII, as the protocol's page wants it. */
function encodeMessage (text: string): string {
  return Array.from(Buffer.from(text.slice(0, 1000)), (byte) => byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    ? String.fromCharCode(byte)
    : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
}

/** A method with one message each way. */
export function unaryMethod<Q> (read: (bytes: Buffer) => Q, answer: (request: Q) => Buffer | Promise<Buffer>): Method {
  return (call) => {
    let request: Buffer | undefined
    return {
      onMessage (message) {
        if (request !== undefined) throw new CallError(status.invalidArgument, 'more than one message')
        request = message
      },
      onEnd () {
        if (request === undefined) return call.end(status.invalidArgument, 'no message')
        void answered(call, request, read, answer)
      },
    }
  }
}

async function answered<Q> (call: Call, request: Buffer, read: (bytes: Buffer) => Q, answer: (request: Q) => Buffer | Promise<Buffer>): Promise<void> {
  try {
    call.write(await answer(read(request)))
    call.end()
  } catch (error) {
    call.end(codeOf(error), error instanceof Error ? error.message : String(error))
  }
}
