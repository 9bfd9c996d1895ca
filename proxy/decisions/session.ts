import { connect as connectSession, type ClientHttp2Session } from 'node:http2'
import { connect as connectSocket, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { AgentTarget, AgentTls } from './settings.ts'

/** Window for what the agent sends on one stream: several replies with bodies at once do not wait for it. */
const streamWindowBytes = 4 * 1024 * 1024

/** An HTTP/2 connection that is being made. Its errors go through `whyOf`. */
export function openSession (target: AgentTarget | { readonly socket: Duplex }): ClientHttp2Session {
  const options = { settings: { enablePush: false, initialWindowSize: streamWindowBytes }, maxSessionMemory: 64 }
  if ('path' in target) return connectSession('http://localhost', { ...options, createConnection: () => connectSocket(target.path) })
  if ('socket' in target) return connectSession('http://localhost', { ...options, createConnection: () => target.socket })
  const { host, port, tls } = target
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (tls === undefined) return connectSession(`http://${authority}`, { ...options, createConnection: () => connectSocket({ host, port, noDelay: true }) })
  return connectSession(`https://${authority}`, { ...options, createConnection: () => connectSecurely(host, port, tls) })
}

/**
 * Ends a connection at once, with all its streams. Not while one of them is being told that it was reset: Node 20 then sends for ever what it has to
 * send on the others, in a loop that nothing ends.
 */
export function endSession (session: ClientHttp2Session): void {
  setImmediate(() => session.destroy())
}

const notHttp2 = 'it speaks TLS, but not HTTP/2'

/** What Node and OpenSSL call a certificate that is not believed. */
const distrust = /^(?:UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH)/

/** Handshakes that fail for a reason the operator can do something about, in other words than OpenSSL's. */
const handshakes: readonly (readonly [RegExp, string])[] = [
  [/NO_APPLICATION_PROTOCOL/, notHttp2],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST/, 'it does not speak TLS'],
  [/ALERT_CERTIFICATE_REQUIRED/, 'it asks for a certificate of the proxy: client-cert and client-key'],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED)/, 'it does not accept the certificate of the proxy'],
]

/** Why a connection failed, for the operator. */
export function whyOf (error: Error & { readonly code?: string }): string {
  const { code = '', message } = error
  if (distrust.test(code)) return `its certificate is not accepted: ${message}`
  // After the handshake OpenSSL gives a text and no code, with the same words in it.
  const words = `${code} ${message}`.toUpperCase().replaceAll(' ', '_')
  return handshakes.find(([form]) => form.test(words))?.[1] ?? message.trim()
}

/** The certificate is looked at for the name, or for the address when the host is one: that may not be sent as a name. */
function connectSecurely (host: string, port: number, { serverName, insecureSkipVerify, ...pem }: AgentTls): TLSSocket {
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined)
  const socket = connectTls({
    host, port, ...pem, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2', rejectUnauthorized: insecureSkipVerify !== true, ...servername === undefined ? {} : { servername },
  })
  socket.setNoDelay(true)
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol !== 'h2') socket.destroy(new Error(notHttp2))
  })
  return socket
}
