import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { optional } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { existingFile } from '../schema/values.ts'
import { attempt, refusal } from './certificate-pair.ts'

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
