import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import { maxHeadBytes, readArrivalHead, upgradeToken } from './arrival-head.ts'
import type { Arrivals, Visitor } from './arrivals.ts'

export interface GateSettings {
  /** PEM; with `ca`, agents show a certificate of these authorities. */
  readonly tls: { readonly cert: Buffer, readonly key: Buffer, readonly ca?: Buffer } | undefined
  /** Until an agent is known, the handshake of TLS included. */
  readonly handshakeTimeoutMs: number
  /** Connections at a time that are not known yet. */
  readonly maxHandshakes: number
}

export type ArrivalOutcome = 'accepted' | 'waits' | 'enough' | 'denied' | 'malformed' | 'late' | 'crowded' | 'no_tls' | 'gone' | 'closing'

export interface GateHooks {
  /** Digests of the tokens by which this agent is known, none for one that needs none; `undefined` when nobody of this name is expected. */
  expected (agent: string): readonly Buffer[] | undefined
  digest (token: string): Buffer
  /** What became of a connection. `agent` is what it calls itself; nobody has believed it unless it was let in. */
  onOutcome (outcome: ArrivalOutcome, about: { readonly peer: string, readonly agent?: string, readonly why?: string }): void
}

/** One address has at most this part of all places for handshakes. */
const shareOfOne = 8
/** For an answer that nobody reads. */
const lingerMs = 1_000
const keepAliveMs = 15_000

const nobody = randomBytes(32)

/** Where agents come in. A stranger costs a socket, 4 KiB and a timer at the most. */
export class ArrivalGate {
  readonly #settings: GateSettings
  readonly #arrivals: Arrivals
  readonly #hooks: GateHooks
  readonly #tls: TlsServer | undefined
  /** Strangers by their address. */
  readonly #strangers = new Map<string, number>()
  #count = 0
  /** Sends away one of them each. */
  readonly #sendAway = new Set<() => void>()
  /** By address and port: of those who are in the middle of the handshake of TLS. */
  readonly #secured = new Map<string, (socket: TLSSocket | Error) => void>()
  #closed = false

  constructor (settings: GateSettings, arrivals: Arrivals, hooks: GateHooks) {
    this.#settings = settings
    this.#arrivals = arrivals
    this.#hooks = hooks
    const { tls } = settings
    if (tls === undefined) return
    this.#tls = createServer({
      ...tls, requestCert: tls.ca !== undefined, rejectUnauthorized: tls.ca !== undefined, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'],
      handshakeTimeout: settings.handshakeTimeoutMs,
    })
    this.#tls.on('secureConnection', (socket) => this.#secured.get(endOf(socket))?.(socket))
    this.#tls.on('tlsClientError', (error, socket) => this.#secured.get(endOf(socket))?.(error))
  }

  accept (raw: Socket): void {
    const peer = raw.remoteAddress ?? 'unix:'
    raw.on('error', () => {})
    const { maxHandshakes, handshakeTimeoutMs } = this.#settings
    const strangers = this.#strangers.get(peer) ?? 0
    const most = peer === 'unix:' ? maxHandshakes : Math.max(1, Math.floor(maxHandshakes / shareOfOne))
    if (this.#closed || this.#count >= maxHandshakes || strangers >= most) {
      this.#hooks.onOutcome(this.#closed ? 'closing' : 'crowded', { peer })
      raw.destroy()
      return
    }
    this.#count++
    this.#strangers.set(peer, strangers + 1)
    const end = endOf(raw)
    let known = false
    /** No stranger any more, or gone. */
    const meet = (): boolean => {
      if (known) return false
      known = true
      clearTimeout(timer)
      this.#sendAway.delete(sendAway)
      this.#secured.delete(end)
      this.#count--
      const left = this.#strangers.get(peer)! - 1
      if (left === 0) this.#strangers.delete(peer)
      else this.#strangers.set(peer, left)
      return true
    }
    const leave = (outcome: 'late' | 'closing'): void => {
      if (!meet()) return
      this.#hooks.onOutcome(outcome, { peer })
      raw.destroy()
    }
    const timer = setTimeout(() => leave('late'), handshakeTimeoutMs)
    const sendAway = (): void => leave('closing')
    this.#sendAway.add(sendAway)
    raw.once('close', () => { if (meet()) this.#hooks.onOutcome('gone', { peer }) })
    if (this.#tls === undefined) return this.#read(raw, peer, meet)
    this.#secured.set(end, (socket) => {
      this.#secured.delete(end)
      if (!(socket instanceof Error)) return this.#read(socket, peer, meet)
      if (!meet()) return
      this.#hooks.onOutcome('no_tls', { peer, why: socket.message })
      raw.destroy()
    })
    this.#tls.emit('connection', raw)
  }

  /** Somebody has not said yet who he is. */
  get isMeeting (): boolean {
    return this.#count > 0
  }

  /** Nobody comes in any more; those who are being met still do. */
  close (): void {
    this.#closed = true
  }

  /** Nobody comes in any more: whoever has not said yet who he is keeps no proxy from ending. */
  end (): void {
    this.close()
    for (const sendAway of this.#sendAway) sendAway()
  }

  #read (socket: Socket, peer: string, meet: () => boolean): void {
    let head = ''
    const onData = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      const ended = head.includes('\r\n\r\n')
      if (!ended && head.length <= maxHeadBytes) return
      socket.off('data', onData)
      if (meet()) this.#judge(socket, peer, ended ? readArrivalHead(head) : 'the head is too long')
    }
    socket.on('error', () => {})
    socket.on('data', onData)
    // Nothing of it was read before it came here.
    socket.resume()
  }

  #judge (socket: Socket, peer: string, head: ReturnType<typeof readArrivalHead>): void {
    if (typeof head === 'string') {
      this.#hooks.onOutcome('malformed', { peer, why: head })
      return answer(socket, '400 Bad Request', head)
    }
    const { agent, token, instance } = head
    const why = this.#distrust(agent, token)
    if (why !== undefined) {
      this.#hooks.onOutcome('denied', { peer, agent, why })
      // The same for all reasons: whoever does not have a token learns no names.
      return answer(socket, '401 Unauthorized', 'no agent connects here by this name and token', 'WWW-Authenticate: Bearer\r\n')
    }
    socket.setKeepAlive(true, keepAliveMs)
    socket.setNoDelay(true)
    const outcome = this.#arrivals.arrive(agent, this.#visitor(agent, instance, socket))
    this.#hooks.onOutcome(outcome, { peer, agent })
  }

  /** Why it is not let in. */
  #distrust (agent: string, token: string | undefined): string | undefined {
    const expected = this.#hooks.expected(agent)
    const shown = this.#hooks.digest(token ?? '')
    let fits = false
    // All are compared, and one at least: how long it takes says nothing.
    for (const digest of expected ?? [nobody]) fits = timingSafeEqual(digest, shown) || fits
    if (expected === undefined) return 'no agent of this name connects to the proxy'
    if (expected.length === 0 || fits) return undefined
    return token === undefined ? 'it shows no token' : 'its token is not the right one'
  }

  #visitor (agent: string, instance: string, socket: Socket): Visitor {
    const gone = (): void => this.#arrivals.left(agent, visitor)
    const tooEarly = (): void => { socket.destroy() }
    const visitor: Visitor = {
      instance,
      admit (then) {
        socket.off('close', gone)
        socket.off('data', tooEarly)
        socket.pause()
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgradeToken}\r\n\r\n`)
        setImmediate(() => {
          // Whoever has said something did not wait to be let in.
          if (socket.destroyed || socket.readableLength > 0) {
            socket.destroy()
            then(undefined)
          } else then(socket)
        })
      },
      park () {
        socket.on('close', gone)
        socket.on('data', tooEarly)
        socket.write('HTTP/1.1 102 Processing\r\n\r\n')
      },
      turnAway () {
        socket.off('close', gone)
        socket.off('data', tooEarly)
        answer(socket, '409 Conflict', 'the proxy has as many connections of this agent as it wants')
      },
    }
    return visitor
  }
}

function endOf ({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`
}

function answer (socket: Socket, status: string, text: string, fields = ''): void {
  const body = `${text}\n`
  socket.end(`HTTP/1.1 ${status}\r\n${fields}Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('close', () => clearTimeout(timer))
}
