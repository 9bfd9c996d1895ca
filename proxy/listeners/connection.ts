import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ChunkedDecoder, LengthDecoder } from '../http1/body-decoder.ts'
import { Malformed, readFields } from '../http1/fields.ts'
import type { RequestLine } from '../http1/request-line.ts'
import { readRequestLine } from '../http1/request-line.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange, Peer } from '../pipeline/exchange.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import type { CurrentSettings, ListenerSettings } from './listener.ts'
import { peerOf } from './peer.ts'
import { Received } from './received.ts'
import { closeSlowly, refusalBytes } from './refusal.ts'
import { RequestBody } from './request-body.ts'
import { readRequestHead, type Accepted, type Rejected } from './request-head.ts'
import { ResponseWriter } from './response-writer.ts'
import { tlsFacts } from './tls-facts.ts'
import { UpgradeInput } from './upgrade-input.ts'

/** The exchange a connection is busy with. */
export interface OpenExchange {
  readonly received: Accepted | Rejected
  readonly writer: ResponseWriter
  readonly body: RequestBody | undefined
  /** The client asks for a tunnel: what it says in it. */
  readonly upgrade: UpgradeInput | undefined
  readonly ending: EndSignal
}

export interface ConnectionHooks {
  /** Must end by calling `finished`. */
  readonly serve: (connection: Connection, open: OpenExchange) => void
  readonly refused: (connection: Connection, code: FaultCode, detail: string) => void
  /** The listener is closing: no further request is served. */
  readonly isClosing: () => boolean
}

const lingerMs = 2_000
const lingerBytes = 1024 * 1024

/** Bytes of pipelined requests that are held while one is served; the rest stays in the socket. */
const maxPipelinedBytes = 64 * 1024

/** Times between attempts to find out whether a client that has ended its side still reads. */
const firstProbeMs = 30
const mostProbeMs = 10_000

/** How long a tunnel may be silent before the system asks whether the client is still there. */
const keepAliveMs = 60_000

/** Tunnels and streams of events that are cut have this long for their last words. */
const farewellMs = 250

/**
 * Who was heard so short a time ago may be sending the next request just now, and would see it fail when the connection closes: it is served,
 * and told that it was the last.
 */
export const lastCallMs = 500

/** Who has just connected came in order to ask something, and may be slower than that: at an upgrade there is no moment in which to connect would be wrong. */
export const firstCallMs = 2_000

/** Trailer fields are few: a large limit for heads is not meant for them. */
const maxTrailerBytes = 64 * 1024

/** One connection of a client: one exchange at a time, the bytes behind it untouched until its turn. */
export class Connection implements ClientConnection {
  readonly socket: Socket
  open: OpenExchange | undefined = undefined
  /** No further request will be served. */
  closing = false
  /** When the connection is given up if nothing happens, in milliseconds of `performance.now`; Infinity while an exchange is open. */
  deadline: number
  readonly #current: CurrentSettings
  readonly #secure: boolean
  readonly #hooks: ConnectionHooks
  readonly #rest: Received
  /** The rest of the body of a request that was answered already, on its way to nobody. */
  #draining: RequestBody | undefined = undefined
  #served = 0
  /** Whoever is half-way through a head is served, and no more. */
  #leaving = false
  #stopped = false
  /** Nothing that still arrives counts: the connection is ending, or its framing is lost. */
  #deaf = false
  #ending = false
  /** The client has ended its side behind a whole request, and may read on. */
  #halfClosed = false
  #prober: NodeJS.Timeout | undefined = undefined
  #peer: Peer | undefined = undefined

  constructor (socket: Socket, current: CurrentSettings, hooks: ConnectionHooks) {
    this.socket = socket
    this.#current = current
    this.#secure = socket instanceof TLSSocket
    this.#hooks = hooks
    this.#rest = new Received(current.settings.maxHeaderBytes)
    this.deadline = performance.now() + current.settings.requestTimeoutMs
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#receive(bytes))
    socket.on('end', () => this.#ended())
    socket.on('timeout', destroy)
    socket.on('error', ignore)
    socket.on('close', () => this.#closed())
  }

  get #settings (): ListenerSettings {
    return this.#current.settings
  }

  get peer (): Peer {
    return this.#peer ??= peerOf(this.socket, this.socket instanceof TLSSocket ? tlsFacts(this.socket) : undefined)
  }

  /** Nothing is being served and no part of a head has come. */
  get idle (): boolean {
    return this.open === undefined && this.#rest.blank
  }

  /** The deadline has passed. A browser opens connections in advance: it is not told about a request that it did not send. */
  expire (): void {
    if (this.idle && this.#leaving) this.close()
    else if (this.idle || this.closing) this.socket.destroy()
    else this.#refuse('CLIENT_TIMEOUT', `no whole head within ${this.#settings.requestTimeoutMs} ms`)
  }

  drain (): void {
    this.#leaving = true
    if (!this.idle) this.closing ||= this.open !== undefined
    else if (this.#quietMs() > this.#callMs) this.close()
    else this.deadline = Math.min(this.deadline, performance.now() + this.#callMs)
  }

  get #callMs (): number {
    return this.#served === 0 ? firstCallMs : lastCallMs
  }

  /** How long nothing has been heard, of a connection without an exchange. */
  #quietMs (): number {
    const { requestTimeoutMs, keepaliveTimeoutMs } = this.#settings
    return performance.now() - (this.deadline - (this.#served === 0 ? requestTimeoutMs : keepaliveTimeoutMs))
  }

  /**
   * The time of the listener is over. What a tunnel is told passes on to both its ends, and a stream of events ends behind one of them; anything else
   * is cut in the middle.
   */
  cut (): void {
    const fault = new Fault('SHUTTING_DOWN', 'the listener is closed')
    const tunnel = this.open?.upgrade
    const give = (): void => {
      this.#over(fault)
      this.socket.destroy()
    }
    if (tunnel?.switched === true) tunnel.fail(fault)
    else if (this.open?.writer.finishEvents() !== true) return give()
    const timer = setTimeout(give, farewellMs)
    this.socket.once('close', () => clearTimeout(timer))
  }

  end (which: (x: Exchange) => boolean): void {
    const x = this.open?.writer.exchange
    if (x === undefined || !which(x)) return
    this.closing = true
    this.cut()
  }

  /** Ends the connection, so that the client gets to read what was sent. */
  close (): void {
    if (this.#ending) return
    this.#ending = true
    this.closing = true
    this.#deaf = true
    this.deadline = Infinity
    this.#rest.takeAll()
    closeSlowly(this.socket, lingerMs)
  }

  /** The answer to the open exchange is complete, or cut. The next request may follow. */
  finished ({ writer, body, upgrade }: OpenExchange): void {
    this.open = undefined
    clearTimeout(this.#prober)
    body?.cancel()
    upgrade?.cancel()
    if (this.socket.destroyed) return
    if (writer.last || this.closing || this.#halfClosed && this.#rest.length === 0) return this.close()
    if (body === undefined || body.arrived) return this.#await()
    // What is left is small: it is read away, and the next request found behind it.
    this.#draining = body
    body.discard({ bytes: lingerBytes, ms: lingerMs }, (complete) => {
      this.#draining = undefined
      if (!complete) this.socket.destroy()
      else if (!this.closing) this.#await()
    })
  }

  /** Waits for the next request, or goes on with what has been received of it. */
  #await (): void {
    this.deadline = performance.now() + this.#settings.keepaliveTimeoutMs
    this.#flow(true)
    // Not at once: hundreds of pipelined requests that are answered without waiting would let no other connection get its turn.
    if (this.#rest.length > 0) setImmediate(() => this.#advance())
  }

  #receive (bytes: Buffer): void {
    if (this.#deaf) return
    if (this.open?.upgrade?.switched === true) return this.open.upgrade.push(bytes)
    const body = this.open?.body ?? this.#draining
    if (body !== undefined && !body.arrived) return this.#pushBody(body, bytes)
    this.#rest.add(bytes)
    if (this.open === undefined) this.#advance()
    else if (this.#rest.length > maxPipelinedBytes) this.#flow(false)
  }

  #pushBody (body: RequestBody, bytes: Buffer): void {
    const end = body.push(bytes)
    if (end instanceof Malformed) {
      this.closing = true
      this.#deaf = true
      if (this.#draining === body) return void this.socket.destroy()
      return body.fail(new Fault(end.tooLarge ? 'HEAD_TOO_LARGE' : 'BAD_REQUEST', end.detail))
    }
    if (end < bytes.length) this.#receive(bytes.subarray(end))
  }

  /** Reads a head from what was received, if a whole one is there, and has it served. */
  #advance (): void {
    if (this.open !== undefined || this.closing) return
    const began = this.#rest.headBegan
    this.#rest.maxHeadBytes = this.#settings.maxHeaderBytes
    const head = this.#rest.takeHead()
    if (typeof head === 'string') return this.#take(head)
    if (head !== undefined) return this.#refuse(head.code, head.detail)
    if (this.#halfClosed) return this.close()
    if (!began && this.#rest.headBegan) this.deadline = performance.now() + this.#settings.requestTimeoutMs
  }

  #take (text: string): void {
    const line = readRequestLine(text, 0)
    if (line instanceof Malformed) return this.#refuse('BAD_REQUEST', line.detail)
    const fields: string[] = []
    const end = readFields(text, line.end, fields, this.#settings.maxHeaderCount)
    if (end instanceof Malformed) return this.#refuse(end.tooLarge ? 'HEAD_TOO_LARGE' : 'BAD_REQUEST', end.detail)
    if (line.method === 'CONNECT') return this.#refuse('METHOD_REFUSED', 'CONNECT')
    this.#serve(line, fields)
  }

  #serve ({ method, target, version }: RequestLine, fields: string[]): void {
    const { bodyIdleTimeoutMs: idleMs, keepaliveMaxRequests = Infinity, maxHeaderCount, maxHeaderNameBytes, maxHeaderValueBytes } = this.#settings
    const received = readRequestHead({
      method, target, version, fields, scheme: this.#secure ? 'https' : 'http',
      maxFields: maxHeaderCount, maxNameBytes: maxHeaderNameBytes, maxValueBytes: maxHeaderValueBytes,
    })
    this.deadline = Infinity
    this.#served++
    const body = 'head' in received && received.framing.hasBody ? this.#bodyOf(received) : undefined
    // A head that cannot be judged may be followed by anything: nothing behind it is read as a request.
    const persistent = 'head' in received && received.persistent
    const webSocketKey = 'head' in received ? received.webSocketKey : undefined
    const upgrade = webSocketKey === undefined ? undefined : this.#tunnel()
    const writer = new ResponseWriter(this.socket, {
      request: { method, version },
      requestBody: body,
      upgrade: upgrade === undefined ? undefined : { input: upgrade, key: webSocketKey! },
      idleMs,
      isLast: () => !persistent || this.closing || this.#leaving || this.#hooks.isClosing() || this.#served >= keepaliveMaxRequests,
    })
    const open = { received, writer, body, upgrade, ending: new EndSignal() }
    this.open = open
    if (body !== undefined && this.#rest.length > 0) this.#pushBody(body, this.#rest.takeAll())
    if (body !== undefined && this.#halfClosed && !body.arrived) body.fail(new Fault('CLIENT_GONE', 'the client has ended its side in the middle of a body'))
    this.#hooks.serve(this, open)
  }

  /** Bytes that came before the switch were kept: a client that is sure of the answer need not wait for it. */
  #tunnel (): UpgradeInput {
    const input = new UpgradeInput({
      onSwitch: () => {
        this.socket.setKeepAlive(true, keepAliveMs)
        // In this order: what came early may be enough to stop it again.
        this.#flow(true)
        input.push(this.#rest.takeAll())
      },
      flow: (reading) => this.#flow(reading),
    })
    return input
  }

  #bodyOf ({ framing: { length }, expect }: Accepted): RequestBody {
    const { bodyIdleTimeoutMs: idleMs, maxHeaderBytes, maxHeaderCount } = this.#settings
    const limits = { maxTrailerBytes: Math.min(maxHeaderBytes, maxTrailerBytes), maxTrailerFields: maxHeaderCount }
    return new RequestBody({
      decoder: length === undefined ? new ChunkedDecoder(limits) : new LengthDecoder(length),
      idleMs,
      beforeFirstRead: expect === 'continue' ? () => this.#sayContinue() : undefined,
      flow: (reading) => this.#flow(reading),
    })
  }

  /** Once the answer has begun, an interim one would be a part of it. */
  #sayContinue (): void {
    if (this.open?.writer.began === false) this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  /** For requests that could not be read as far as that anybody could be asked. */
  #refuse (code: FaultCode, detail: string): void {
    this.#hooks.refused(this, code, detail)
    if (this.socket.writable) this.socket.write(refusalBytes(code))
    this.close()
  }

  #flow (reading: boolean): void {
    if (reading === !this.#stopped) return
    this.#stopped = !reading
    if (reading) this.socket.resume()
    else this.socket.pause()
  }

  /**
   * The client has said all it will say. Most clients are gone then; some have only ended their side behind a whole request, and wait for the
   * answer. TCP does not tell which. What is sent does: whoever is gone resets the connection, so that bytes of an answer on their way, or an
   * interim answer that means nothing (RFC 9110 section 15.2.1), bring it out.
   */
  #ended (): void {
    const { open, socket } = this
    if (open?.upgrade?.switched === true) return open.upgrade.end()
    const whole = open !== undefined && socket.allowHalfOpen && (open.body === undefined || open.body.arrived) && 'head' in open.received
    if (whole && (open.writer.began ? socket.writableLength > 0 : open.received.head.version === '1.1')) {
      this.#halfClosed = true
      return this.#probe(open, firstProbeMs)
    }
    // Ending twice makes an error, with its stack, that nobody sees: a tenth of what a short connection costs.
    if (!socket.writableEnded) socket.end()
    if (open !== undefined && !open.writer.written) socket.destroy()
  }

  /** The first is answered by a reset, the second finds it: nobody reads from a side that has ended. */
  #probe (open: OpenExchange, nextMs: number): void {
    if (this.open !== open || open.writer.began || this.socket.destroyed) return
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    this.#prober = setTimeout(() => this.#probe(open, Math.min(nextMs * 4, mostProbeMs)), nextMs)
  }

  #closed (): void {
    this.closing = true
    this.deadline = Infinity
    this.#deaf = true
    this.#rest.takeAll()
    this.#draining?.stopDiscarding()
    clearTimeout(this.#prober)
    this.#over(new Fault('CLIENT_GONE'))
  }

  /** Nobody hears any more of the open exchange. Of several reasons the first counts. */
  #over (fault: Fault): void {
    const { open } = this
    if (open === undefined) return
    open.body?.fail(fault)
    open.upgrade?.fail(fault)
    open.writer.gone(fault)
    open.ending.end(fault)
  }
}

// One for all connections: most of them are idle, and what each holds counts thousands of times.

function destroy (this: Socket): void {
  this.destroy()
}

/** What went wrong does not matter: 'close' follows. */
function ignore (): void {}
