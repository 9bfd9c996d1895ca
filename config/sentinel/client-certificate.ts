import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Position } from '../kdl/position.ts'
import type { Report } from '../schema/report.ts'
import { readByAnyone } from './certificate-files.ts'
import { attempt } from './certificate-pair.ts'

/** Settings of a connection over TLS that name files; any block that has these may be checked. */
export interface ClientFiles {
  readonly caCert: string | undefined
  readonly clientCert: string | undefined
  readonly clientKey: string | undefined
}

interface HereOfFiles {
  readonly scope: string
  readonly textOnly: boolean
  readonly report: Report
  where (name: keyof ClientFiles): Position
  given (name: keyof ClientFiles): boolean
}

/** Opens the files now: at load there is somebody to read the message. Their content is never part of it. */
export function checkClientFiles (files: ClientFiles, here: HereOfFiles): void {
  const cert = here.given('clientCert')
  const key = here.given('clientKey')
  if (cert && !key) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a 'client-cert' but no 'client-key'`, here.where('clientCert'))
  if (key && !cert) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a 'client-key' but no 'client-cert'`, here.where('clientKey'))
  if (here.textOnly) return
  if (files.caCert !== undefined) certificateIn(files.caCert, 'caCert', here)
  const certificate = files.clientCert === undefined ? undefined : certificateIn(files.clientCert, 'clientCert', here)
  const { clientKey } = files
  const secret = clientKey === undefined ? undefined : attempt(() => createPrivateKey(readFileSync(clientKey)))
  if (clientKey !== undefined && secret === undefined) {
    here.report.error('CONFIG_FILE', `'client-key' of ${here.scope} holds no private key in PEM form`, here.where('clientKey'), 'keys with a passphrase are not supported')
  }
  if (clientKey !== undefined && secret !== undefined && readByAnyone(clientKey)) {
    here.report.warning('CONFIG_FILE', `every user of this machine may read 'client-key' of ${here.scope}`, here.where('clientKey'), 'write chmod o-r on it')
  }
  if (certificate !== undefined && secret !== undefined && !certificate.checkPrivateKey(secret)) {
    here.report.error('CONFIG_CONTRADICTION', `the 'client-key' of ${here.scope} does not belong to the 'client-cert'`, here.where('clientKey'))
  }
}

function certificateIn (file: string, name: 'caCert' | 'clientCert', here: HereOfFiles): X509Certificate | undefined {
  const certificate = attempt(() => new X509Certificate(readFileSync(file)))
  const setting = name === 'caCert' ? 'ca-cert' : 'client-cert'
  if (certificate === undefined) here.report.error('CONFIG_FILE', `'${setting}' of ${here.scope} holds no certificate in PEM form`, here.where(name))
  else if (new Date(certificate.validTo) < new Date()) {
    here.report.warning('CONFIG_FILE', `the certificate in '${setting}' of ${here.scope} expired on ${certificate.validTo}`, here.where(name))
  }
  return certificate
}
