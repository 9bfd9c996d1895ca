import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { isHostName } from '../schema/address.ts'
import { optional } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { existingFile } from '../schema/values.ts'

export const pairFields = {
  certFile: optional(existingFile, 'Certificate chain in PEM form, the server\'s own first. Read anew at each reload, for handshakes from then on.', { aliases: ['cert', 'cert-path', 'certificate'] }),
  keyFile: optional(existingFile, 'Private key in PEM form.', { aliases: ['key', 'key-path', 'private-key'] }),
}

/** Both the `tls` block and each `sni` have a pair: what the checks need of either. */
export type PairHere = Pick<Here<typeof pairFields>, 'at' | 'scope' | 'report' | 'textOnly' | 'where' | 'given'>

export interface PairFiles {
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

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
function refusal (pair: { readonly cert: Buffer, readonly key: Buffer }): string | undefined {
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

/** Reports what is wrong with a pair, and gives its certificate. */
export function checkPair ({ certFile, keyFile }: PairFiles, here: PairHere, hint: string): X509Certificate | undefined {
  const cert = here.given('certFile')
  const key = here.given('keyFile')
  if (cert && !key) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a certificate but no 'key-file'`, here.where('certFile'))
  if (key && !cert) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a key but no 'cert-file'`, here.where('keyFile'))
  if (!cert && !key) here.report.error('CONFIG_MISSING', `${here.scope} needs 'cert-file' and 'key-file'`, here.at, hint)
  return certFile !== undefined && keyFile !== undefined && !here.textOnly ? checkFiles(certFile, keyFile, here) : undefined
}

/** Opens both files now: at load there is somebody to read the message. The content is never part of it. */
function checkFiles (certFile: string, keyFile: string, here: PairHere): X509Certificate | undefined {
  const pem = { cert: attempt(() => readFileSync(certFile)) ?? Buffer.alloc(0), key: attempt(() => readFileSync(keyFile)) ?? Buffer.alloc(0) }
  const certificate = attempt(() => new X509Certificate(pem.cert))
  const key = attempt(() => createPrivateKey(pem.key))
  if (certificate === undefined) here.report.error('CONFIG_FILE', `'cert-file' of ${here.scope} holds no certificate in PEM form`, here.where('certFile'))
  if (key === undefined) here.report.error('CONFIG_FILE', `'key-file' of ${here.scope} holds no private key in PEM form`, here.where('keyFile'), 'keys with a passphrase are not supported')
  else if (readByAnyone(keyFile)) {
    here.report.warning('CONFIG_FILE', `every user of this machine may read 'key-file' of ${here.scope}`, here.where('keyFile'), 'write chmod o-r on it')
  }
  if (certificate === undefined || key === undefined) return undefined
  const why = refusal(pem)
  if (!certificate.checkPrivateKey(key)) here.report.error('CONFIG_CONTRADICTION', `the key of ${here.scope} does not belong to the certificate`, here.where('keyFile'))
  else if (why !== undefined) here.report.error('CONFIG_FILE', `the certificate of ${here.scope} cannot be served with: ${why}`, here.where('certFile'), 'clients of today refuse it as well')
  if (new Date(certificate.validTo) < new Date()) {
    here.report.warning('CONFIG_FILE', `the certificate of ${here.scope} expired on ${certificate.validTo}`, here.where('certFile'))
  }
  return certificate
}

export function readByAnyone (file: string): boolean {
  return ((attempt(() => statSync(file).mode) ?? 0) & 0o004) !== 0
}

export function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
