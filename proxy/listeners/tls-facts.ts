import type { TLSSocket } from 'node:tls'
import type { TlsFacts } from '../pipeline/exchange.ts'

/** What the handshake told. Read once for each connection. */
export function tlsFacts (socket: TLSSocket): TlsFacts {
  const certificate = socket.getPeerCertificate()
  // Node gives an empty object when the client sent none.
  const present = certificate?.raw !== undefined
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher()?.name ?? '',
    sni: typeof socket.servername === 'string' ? socket.servername : '',
    clientSubject: present ? distinguishedName(certificate.subject) : '',
    clientSans: present ? (certificate.subjectaltname ?? '').split(', ').filter((name) => name !== '') : [],
    clientFingerprint: present ? certificate.fingerprint256 : '',
  }
}

function distinguishedName (subject: object): string {
  return Object.entries(subject).map(([key, value]) => `${key}=${Array.isArray(value) ? value.join('+') : String(value)}`).join(',')
}
