import type { MaybePromise } from '../pipeline/body.ts'
import type { PeerRange } from '../../config/schema/index.ts'
import type { Client, Exchange } from '../pipeline/exchange.ts'
import type { FaultCode } from '../pipeline/faults.ts'
import type { BoundSocket } from './bound-socket.ts'
import type { Place } from './door.ts'

export interface ListenerSettings {
  readonly id: string
  readonly host: string
  /** 0 = any free port. */
  readonly port: number
  /** In place of host and port, which are empty then. */
  readonly unix?: UnixSocketSettings
  /** Of an IPv6 address: no IPv4 clients. */
  readonly ipv6Only?: boolean
  /** Other processes may bind the address as well. */
  readonly reusePort?: boolean
  /** Connections that wait to be accepted (1024). */
  readonly backlog?: number
  /** Who states the client's address in front of a connection. */
  readonly proxyProtocol?: ProxyProtocolSettings
  readonly tls?: TlsSettings
  /** Without TLS: HTTP/2 is spoken with those who begin with it (TLS clients choose in the handshake). */
  readonly priorKnowledge?: boolean
  /** Streams that one HTTP/2 connection may have open; 100 unless it is said. */
  readonly maxConcurrentStreams?: number
  /** The whole head of a request must be there this long after its first byte (or after the connection was made). */
  readonly requestTimeoutMs: number
  /** Longest silence of a client that is awaited, when sending a body or taking an answer. */
  readonly bodyIdleTimeoutMs: number
  /** How long an unused connection stays open. */
  readonly keepaliveTimeoutMs: number
  /** Requests on one connection. */
  readonly keepaliveMaxRequests?: number
  /** Request line and all field lines. */
  readonly maxHeaderBytes: number
  /** Field lines. */
  readonly maxHeaderCount: number
  /** Octets of the name and of the value of one field; without them `maxHeaderBytes` alone counts. */
  readonly maxHeaderNameBytes?: number
  readonly maxHeaderValueBytes?: number
  /** More are closed as soon as they are accepted. */
  readonly maxConnections: number
}

/** What counts now. Connections look here again at each request. */
export interface CurrentSettings {
  readonly settings: ListenerSettings
}

export interface UnixSocketSettings {
  readonly path: string
  /** Bits of `chmod`. */
  readonly mode: number
  /** Names or numbers; those of the process without them. */
  readonly owner?: string
  readonly group?: string
}

export interface ProxyProtocolSettings {
  readonly from: readonly PeerRange[]
  /** A connection of these without a header is closed. */
  readonly required: boolean
}

/** In PEM form. */
export interface CertificatePair {
  /** The chain, the server's own first. */
  readonly cert: string | Buffer
  readonly key: string | Buffer
}

/** The pair of the settings themselves is for clients that ask for no name, or for one that nobody has. */
export interface TlsSettings extends CertificatePair {
  /** Pairs for names in lower case; "*.example.com" is for one label before it, and comes after the exact name. */
  readonly named?: ReadonlyMap<string, CertificatePair>
  /** What an authority says about a certificate (DER), to be sent along. Asked in the middle of a handshake: it has the answer or it has none. */
  readonly staple?: (certificate: Buffer) => Buffer | undefined
  /** Authorities that client certificates must come from, in PEM form; wanted for `clientAuth`. */
  readonly ca?: string | Buffer
  /** required = no connection without a certificate of theirs, optional = one that is shown must be theirs. */
  readonly clientAuth?: 'off' | 'optional' | 'required'
  readonly minVersion?: '1.2' | '1.3'
  readonly maxVersion?: '1.2' | '1.3'
  /** Names as OpenSSL has them, the best first; all good ones when there are none. */
  readonly cipherSuites?: readonly string[]
  /** Whether a client that comes back may skip half of the handshake; default true. */
  readonly sessionResumption?: boolean
  /** What tickets are sealed with is made from this: whoever has the same opens them, after a reload and in another process. */
  readonly ticketSecret?: Buffer
}

export interface ListenerHooks {
  /** Looked up for each request: a reload puts another function in its place. */
  serve: (x: Exchange, client: Client) => MaybePromise<void>
  /** Asked for each connection once its client is known; without it all may come in. */
  enter?: (client: string) => MaybePromise<Place | 'total' | 'client'>
  /** Something that no exchange tells about: requests refused before there was one, failed handshakes, dropped connections. */
  log?: (event: ListenerEvent) => void
  /** A handshake is over. */
  handshake?: (outcome: HandshakeOutcome) => void
}

export interface HandshakeOutcome {
  /** Since the connection was accepted. */
  readonly ms: number
  /** "TLSv1.3"; "" when it failed. */
  readonly version: string
  readonly resumed: boolean
  /** Why it failed, in one of a few words. */
  readonly failure?: string
}

export interface ListenerEvent {
  readonly listener: string
  readonly code: FaultCode
  readonly detail: string
  readonly peer: string
}

export interface Listener {
  /** That of its settings. */
  readonly id: string
  /** `host:port` or `unix:/path` as bound; "" before `start`. */
  readonly address: string
  /** Connections that are open now. */
  readonly connections: number
  /** Binds the address, and serves it; rejects with the system's error when it cannot be had. */
  start (): Promise<void>
  /** Serves a socket that is bound already. */
  serve (socket: BoundSocket): void
  /** Stops accepting at once, lets open exchanges and handshakes end, and cuts those that are left when the deadline aborts. */
  close (deadline: AbortSignal): Promise<void>
  /**
   * All settings but those of the binding. New connections are met by them, open ones at their next request. Where they change who may come in, and
   * how (TLS or not, certificates of clients, PROXY headers), open connections end with what they are busy with. Throws, and changes nothing,
   * when something of TLS does not fit.
   */
  replace (settings: ListenerSettings): void
  /** Ends open exchanges that go on where nothing is served any more. */
  end (which: (x: Exchange) => boolean): void
  /** For handshakes from now on. Throws, and changes nothing, when certificate and key are no pair. */
  replaceTls (tls: TlsSettings): void
  /** A new `ticketSecret`, and all else stays. */
  renewTickets (ticketSecret: Buffer): void
}
