import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface HandshakeFailure {
  /** One of a few words: a label of a metric. */
  readonly reason: 'plain-http' | 'no-tls' | 'no-common-version' | 'no-common-cipher' | 'no-common-protocol' | 'client-certificate' | 'certificate-refused' | 'gone' | 'timeout' | 'other'
  /** For the log: what a person understands. */
  readonly detail: string
}

type Row = readonly [HandshakeFailure['reason'], string]

/** Error codes of Node and OpenSSL. Alerts are what the client said when it gave up. */
const rows: Readonly<Record<string, Row>> = {
  ERR_SSL_HTTP_REQUEST: ['plain-http', 'plain HTTP on a port of HTTPS'],
  ERR_SSL_HTTPS_PROXY_REQUEST: ['plain-http', 'a plain CONNECT on a port of HTTPS'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['no-tls', 'what came is no TLS'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['no-tls', 'what came is no TLS'],
  ERR_SSL_UNEXPECTED_MESSAGE: ['no-tls', 'a message that has no place in a handshake'],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ['no-common-version', 'the client speaks no version of TLS that is allowed here'],
  ERR_SSL_VERSION_TOO_LOW: ['no-common-version', 'the client speaks no version of TLS that is allowed here'],
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: ['no-common-version', 'the client takes no version of TLS that is allowed here'],
  ERR_SSL_NO_SHARED_CIPHER: ['no-common-cipher', 'the client has no cipher that is allowed here, or none that fits the certificate'],
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: ['no-common-cipher', 'the client knows no signature that fits the certificate'],
  ERR_SSL_NO_SUITABLE_KEY_SHARE: ['no-common-cipher', 'the client has no curve that is allowed here'],
  ERR_SSL_NO_SHARED_GROUP: ['no-common-cipher', 'the client has no curve that is allowed here'],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ['no-common-protocol', 'the client speaks no protocol that is spoken here (ALPN)'],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ['client-certificate', 'client certificate: none was shown'],
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: ['certificate-refused', 'the client does not know the authority of the certificate'],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: ['certificate-refused', 'the client does not believe the certificate'],
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: ['certificate-refused', 'the client does not believe the certificate'],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: ['certificate-refused', 'the client says that the certificate has expired'],
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: ['certificate-refused', 'the client cannot use the certificate'],
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: ['certificate-refused', 'the client found another name in the certificate'],
  ERR_TLS_HANDSHAKE_TIMEOUT: ['timeout', 'the handshake was not done in time'],
  ECONNRESET: ['gone', 'the client went away in the middle of the handshake'],
  EPIPE: ['gone', 'the client went away in the middle of the handshake'],
}

/** Node says "hang up" where it hung up itself, because of the client's certificate. */
export function handshakeFailure (error: Error, socket: Socket): HandshakeFailure {
  // Set where a certificate was looked at, whatever the types say.
  const verdict: unknown = socket instanceof TLSSocket ? socket.authorizationError : undefined
  if (typeof verdict === 'string') return { reason: 'client-certificate', detail: `client certificate: ${verdict}` }
  // `code` is there on errors of the system and of OpenSSL.
  const { code = '' } = error as NodeJS.ErrnoException
  const row = Object.hasOwn(rows, code) ? rows[code] : undefined
  return row === undefined ? { reason: 'other', detail: `TLS handshake: ${error.message}` } : { reason: row[0], detail: row[0] === 'client-certificate' ? row[1] : `TLS handshake: ${row[1]}` }
}
