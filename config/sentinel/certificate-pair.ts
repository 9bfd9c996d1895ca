import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { isHostName } from '../schema/address.ts'

/** A certificate with the key that belongs to it: both were looked at. */
export interface CertificatePair {
  /** PEM: the chain, the server's own first. */
  readonly cert: Buffer
  /** PEM. */
  readonly key: Buffer
  /** The server's own. */
  readonly certificate: X509Certificate
}

export type PairFault = 'no-certificate' | 'no-key' | 'wrong-key' | 'too-weak'

/** A pair, or why it is none. One file may hold both. */
export function pairOf (cert: Buffer, key: Buffer): CertificatePair | PairFault {
  const certificate = attempt(() => new X509Certificate(cert))
  if (certificate === undefined) return 'no-certificate'
  if (refusal({ cert, key }) === undefined) return { cert, key, certificate }
  const secret = attempt(() => createPrivateKey(key))
  if (secret === undefined) return 'no-key'
  return certificate.checkPrivateKey(secret) ? 'too-weak' : 'wrong-key'
}

/** Why OpenSSL would not serve with it: a short key or an old signature, which nobody sees who only reads it. */
export function refusal (pair: { readonly cert: Buffer, readonly key: Buffer }): string | undefined {
  try {
    createSecureContext(pair)
    return undefined
  } catch (error) {
    // "error:0A00018F:SSL routines::ee key too small"
    return error instanceof Error ? error.message.split(':').at(-1) : 'unknown reason'
  }
}

/** Hosts that a certificate is for: those of its subjectAltName, its common name where it has none (RFC 6125 section 6.4.4). */
export function namesOf ({ subjectAltName, subject }: X509Certificate): string[] {
  const written = subjectAltName === undefined
    ? subject.split('\n').flatMap(line => line.startsWith('CN=') ? [line.slice(3)] : [])
    : subjectAltName.split(', ').flatMap(name => name.startsWith('DNS:') ? [name.slice(4)] : [])
  const names = written.map(name => name.toLowerCase().replace(/\.$/, ''))
  return [...new Set(names.filter(name => isHostName(name.startsWith('*.') ? name.slice(2) : name)))]
}

/** 1.3.6.1.5.5.7.1.24 as it stands in the certificate. */
const featureExtension = Buffer.from('06082b06010505070118', 'hex')

/** The extension "TLS feature" (RFC 7633): clients that know it refuse the certificate when no status is sent along. */
export function demandsStapling (certificate: X509Certificate): boolean {
  return certificate.raw.includes(featureExtension)
}

/** Where the authority answers for the certificate; `undefined` when nobody does over plain HTTP. */
export function responderOf ({ infoAccess }: X509Certificate): string | undefined {
  const line = infoAccess?.split('\n').find(one => /^OCSP - URI:http:\/\//i.test(one))
  return line?.slice('OCSP - URI:'.length)
}

export function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
