import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface UpstreamTls {
  /** Name sent in the handshake and looked for in the certificate; default: the target's host name. */
  readonly sni?: string
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | Buffer
  readonly insecureSkipVerify?: boolean
}

export interface DialSettings {
  readonly host: string
  readonly port: number
  readonly path?: string | undefined
  readonly tls: UpstreamTls | undefined
}

/**
 * Opens connections to one target. `greeting` (latin1) goes in front of everything, TLS included. `ready` is called once, when bytes can be
 * sent; errors come as events of the socket.
 */
export type Dial = (greeting: string, ready: () => void) => Socket

/** How long a connection may be silent before the system asks whether the other side is still there. */
const probeMs = 60_000

export function dialTo ({ host, port, path, tls }: DialSettings): Dial {
  const target = { ...path === undefined ? { host, port } : { path }, noDelay: true, keepAlive: true, keepAliveInitialDelay: probeMs, highWaterMark: 64 * 1024 }
  const connectGreeting = (greeting: string, ready?: () => void): Socket => {
    const socket: Socket = connectPlain(target, () => {
      if (greeting !== '') socket.write(greeting, 'latin1')
      ready?.()
    })
    return socket
  }
  if (tls === undefined) return connectGreeting
  // Addresses are not sent as names (RFC 6066 section 3); the certificate is checked against the address then.
  const name = tls.sni ?? (isIP(host) === 0 && host !== '' ? host : undefined)
  const options = {
    ...target,
    minVersion: 'TLSv1.2' as const,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(name === undefined ? {} : { servername: name }),
  }
  let session: Buffer | undefined
  return (greeting, ready) => {
    let verified = false
    let offered: Buffer | undefined
    const under = greeting === '' ? {} : { socket: connectGreeting(greeting) }
    const socket = connectTls({ ...options, ...session === undefined ? {} : { session }, ...under }, () => {
      verified = true
      session = offered ?? session
      ready()
    })
    // Node does not look for the name in the certificate again when a session is resumed: only those of a checked connection may be.
    socket.on('session', (ticket) => {
      if (verified) session = ticket
      else offered = ticket
    })
    // Whatever was wrong, the next one begins anew.
    socket.once('error', () => { session = undefined })
    return socket
  }
}
