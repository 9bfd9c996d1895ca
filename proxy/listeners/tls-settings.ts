import type { Socket } from 'node:net'
import { TLSSocket, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { TlsSettings } from './listener.ts'

/** What a handshake is made with. The whole of it, so that nothing of an earlier one stays. */
export function contextOptions ({ cert, key, ca, minVersion = '1.2', maxVersion = '1.3', cipherSuites = [] }: TlsSettings): SecureContextOptions {
  return {
    cert, key,
    ...ca === undefined ? {} : { ca },
    minVersion: `TLSv${minVersion}`,
    maxVersion: `TLSv${maxVersion}`,
    ...cipherSuites.length === 0 ? {} : { ciphers: cipherSuites.join(':') },
  }
}

/** Whether clients are asked for a certificate. Node keeps this for as long as the server is open. */
export function clientCheck ({ ca, clientAuth = 'off' }: TlsSettings): Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'> {
  if (clientAuth === 'off') return {}
  // Without authorities of its own, OpenSSL would believe every public one.
  if (ca === undefined) throw new Error('client certificates are asked for, but there is no authority to check them by')
  return { requestCert: true, rejectUnauthorized: clientAuth === 'required' }
}

/** Why a certificate that was shown, but need not have been, is not believed. A connection with one is no anonymous connection. */
export function unwantedCertificate (socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.authorized || socket.getPeerCertificate().raw === undefined) return undefined
  return String(socket.authorizationError)
}

/** For the log. Node says "hang up" where it hung up itself, because of the certificate. */
export function handshakeFailure (error: Error, socket: Socket): string {
  // Set where a certificate was looked at, whatever the types say.
  const verdict: unknown = socket instanceof TLSSocket ? socket.authorizationError : undefined
  return typeof verdict === 'string' ? `client certificate: ${verdict}` : `TLS handshake: ${error.message}`
}
