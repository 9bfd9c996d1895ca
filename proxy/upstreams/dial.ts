import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type ConnectionOptions, type TLSSocket } from 'node:tls'

export interface UpstreamTls {
  /** Name sent in the handshake and looked for in the certificate; default: the target's host name. */
  readonly sni?: string
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | Buffer
  /** PEM of the certificate to show, with what issued it, and of its key. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly insecureSkipVerify?: boolean
}

export interface DialSettings {
  readonly host: string
  readonly port: number
  readonly path?: string | undefined
  readonly tls: UpstreamTls | undefined
}

/** Where a connection reads into (`onread` of `net.connect`): `buffer` is asked again after each call of `callback`. */
export interface Reading {
  readonly buffer: () => Buffer
  /** False stops the reading. */
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean
}

/** As ALPN names them. */
export type Protocol = 'h2' | 'http/1.1'

/**
 * Opens connections to one target. `greeting` (latin1) goes in front of everything, TLS included. `ready` is called once, when bytes can be
 * sent, with the milliseconds that the TLS handshake took; errors come as events of the socket, and without `onread` what is received as well.
 */
export type Dial = (greeting: string, ready: (tlsMs: number) => void, onread?: Reading) => Socket

/** How long a connection may be silent before the system asks whether the other side is still there. */
const probeMs = 60_000

/** How long sessions may stand in for a look at the certificate. */
const lookAgainMs = 15 * 60_000

/** `protocols`: what a TLS handshake offers, the preferred one first. */
export function dialTo ({ host, port, path, tls }: DialSettings, protocols: readonly Protocol[] = ['http/1.1']): Dial {
  const target = { ...path === undefined ? { host, port } : { path }, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeMs, highWaterMark: 64 * 1024 }
  if (tls === undefined) {
    return (greeting, ready, onread) => {
      const socket = connectPlain(onread === undefined ? target : { ...target, onread })
      return greeting === '' ? socket.once('connect', () => ready(0)) : greeted(socket, greeting, ready)
    }
  }
  // Addresses are not sent as names (RFC 6066 section 3); the certificate is checked against the address then.
  const name = tls.sni ?? (isIP(host) === 0 && host !== '' ? host : undefined)
  const options = {
    ...target,
    // Made once: authorities and keys would be parsed again for each connection.
    secureContext: createSecureContext({
      minVersion: 'TLSv1.2',
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined || tls.key === undefined ? {} : { cert: tls.cert, key: tls.key }),
    }),
    ALPNProtocols: [...protocols],
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    ...(name === undefined ? {} : { servername: name }),
  }
  let session: Buffer | undefined
  /** Until when, on the clock of `performance.now`, the last look at a certificate is believed. */
  let believedUntilMs = 0
  return (greeting, ready, onread) => {
    let verified = false
    let offered: Buffer | undefined
    if (performance.now() >= believedUntilMs) session = undefined
    let connectedMs = 0
    const under = greeting === '' ? {} : { socket: greeted(connectPlain(target), greeting) }
    // Node passes it on to the socket; its types do not know.
    const reading: ConnectionOptions & { readonly onread?: Reading } = {
      ...options, ...onread === undefined ? {} : { onread }, ...session === undefined ? {} : { session }, ...under,
    }
    const socket = connectTls(reading, () => {
      verified = true
      session = offered ?? session
      if (!socket.isSessionReused()) believedUntilMs = performance.now() + believableMs(socket)
      ready(performance.now() - connectedMs)
    })
    ;(under.socket ?? socket).once('connect', () => { connectedMs = performance.now() })
    // Node does not look for the name in the certificate again when a session is resumed: only those of a checked connection may be.
    socket.on('session', (ticket) => {
      if (verified) session = ticket
      else offered = ticket
    })
    if (greeting !== '' && onread !== undefined) readInto(onread, socket)
    // Whatever was wrong, the next one begins anew.
    socket.once('error', () => { session = undefined })
    return socket
  }
}

/** What `onread` does, for a TLS socket over another one: Node.js ignores it there. */
function readInto (onread: Reading, socket: Socket): void {
  socket.on('data', (bytes: Buffer) => {
    for (let at = 0; at < bytes.length && !socket.destroyed;) {
      const buffer = onread.buffer()
      const length = bytes.copy(buffer, 0, at)
      at += length
      if (onread.callback(length, buffer)) continue
      socket.pause()
      if (at < bytes.length) socket.unshift(bytes.subarray(at))
      return
    }
  })
}

/** Nothing can have been sent before. */
function greeted (socket: Socket, greeting: string, ready?: (tlsMs: number) => void): Socket {
  return socket.once('connect', () => {
    socket.write(greeting, 'latin1')
    ready?.(0)
  })
}

/** A resumed session shows no certificate: one that ended or was exchanged since would pass for as long as sessions are renewed. */
function believableMs (socket: TLSSocket): number {
  const until = new Date(socket.getPeerCertificate().valid_to).getTime() - new Date().getTime()
  return Number.isFinite(until) ? Math.max(0, Math.min(lookAgainMs, until)) : lookAgainMs
}
