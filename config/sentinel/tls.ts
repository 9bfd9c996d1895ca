import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { KdlNode } from '../kdl/nodes.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { inert, list, notBuilt, optional, setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, existingFile, path } from '../schema/values.ts'
import { acme } from './acme.ts'
import { checkPair, pairFields, type PairFiles } from './certificate-files.ts'
import { attempt, demandsStapling, responderOf } from './certificate-pair.ts'
import { checkClaims, sni, sniCerts, type SniCertificate, type SniEntry, type SniFolder } from './sni.ts'
import type { ClientAuth, TlsVersion } from './tls-types.ts'
import { cipherSuite, clientAuth, tlsVersion, versionOfSuite } from './tls-types.ts'

const tlsFields = {
  ...pairFields,
  caFile: optional(existingFile, 'Authorities in PEM form that client certificates must come from.', { aliases: ['ca-cert', 'client-ca'] }),
  clientAuth: optional(clientAuth, 'Ask clients for a certificate: required = no connection without one, optional = one that is shown must be good. Without it: required when there is a `ca-file`.'),
  minVersion: setting(tlsVersion, '1.2', 'Oldest TLS version to speak.'),
  maxVersion: setting(tlsVersion, '1.3', 'Newest TLS version to speak.'),
  cipherSuites: list(cipherSuite, [], 'Ciphers to offer, the best first; without them all that are good. Names of the standard or of OpenSSL.', { aliases: ['cipher-suite', 'ciphers'], commas: true }),
  ocspStapling: setting(bool, true, 'Send along what the authority says about the certificate, when the certificate tells whom to ask.'),
  sessionResumption: setting(bool, true, 'Let clients that come back skip half of the handshake.'),
  // Before `sni`: where both ask for one name, the first one is the one further up.
  acme: notBuilt(acme),
  sni,
  sniCerts,
  allowSniOverlaps: setting(bool, false, 'Let two certificates claim one name: the first one gets it, those of the folder in the order of their files.'),
  clientCert: inert(path, 'Certificate to show to an upstream.', 'a listener shows \'cert-file\'; this belongs to an upstream\'s tls'),
  clientKey: inert(path, 'Its key.', 'it belongs to an upstream\'s tls'),
}

const ciphersInBlock: OlderForms[string] = {
  doc: 'write cipher-suites "NAME" "NAME"',
  when: node => node.children !== undefined && node.args.length === 0,
  into: node => [{ ...node, args: (node.children ?? []).flatMap(({ args }) => args), children: undefined }],
}

/** `additional-certs { sni-cert { … } }`; some write `cert hostnames="a"`. */
const older: OlderForms = {
  'cipher-suites': ciphersInBlock,
  'cipher-suite': ciphersInBlock,
  'ciphers': ciphersInBlock,
  'additional-certs': {
    doc: 'write sni { … } for each certificate',
    into: node => (node.children ?? []).map((child): KdlNode => ({ ...child, name: ['sni-cert', 'cert', 'certificate'].includes(child.name) ? 'sni' : child.name })),
    when: node => node.children?.every(child => ['sni', 'sni-cert', 'cert', 'certificate'].includes(child.name)) === true,
  },
}

export const tls = optionalBlock(tlsFields, 'Certificate of an https listener.', {
  older,
  build: readTls,
  example: `tls {
    cert-file "/etc/sentinel/certs/site.crt"
    key-file "/etc/sentinel/certs/site.key"
    min-version "1.2"
    // Only clients with a certificate of ours get in:
    ca-file "/etc/sentinel/certs/clients-ca.crt"
    client-auth "required"
}`,
})

interface TlsAsGiven extends PairFiles {
  readonly caFile: string | undefined
  readonly clientAuth: ClientAuth | undefined
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly cipherSuites: readonly string[]
  readonly ocspStapling: boolean
  readonly sessionResumption: boolean
  readonly sni: readonly SniEntry[]
  readonly sniCerts: SniFolder | undefined
  readonly allowSniOverlaps: boolean
}

type TlsHere = Here<typeof tlsFields>

/** Names of certificates, keys and authorities are paths; what they hold was looked at. */
export interface Tls extends Omit<TlsAsGiven, 'certFile' | 'keyFile' | 'clientAuth' | 'sni' | 'allowSniOverlaps'> {
  readonly certFile: string
  readonly keyFile: string
  readonly clientAuth: ClientAuth
  readonly sni: readonly SniCertificate[]
}

function readTls (value: TlsAsGiven, here: TlsHere): Tls {
  const { report } = here
  const pair = here.given('certFile') || here.given('keyFile')
  if (pair || !here.given('acme')) {
    const certificate = checkPair(value, here, 'write cert-file "…" and key-file "…"')
    checkStapling([{ content: certificate, certAt: here.where('certFile') }, ...value.sni], value, here)
  } else if (!here.textOnly) {
    report.error('CONFIG_NOT_BUILT', `${here.scope} has no certificate: getting one with acme is not built yet`, here.where('acme'), 'write cert-file and key-file until then')
  }
  checkVersions(value, here)
  checkClaims(value.sni, value.sniCerts, value.allowSniOverlaps, here)
  const { allowSniOverlaps: _checked, sni: entries, ...rest } = value
  // Where one is missing an error was reported: nobody sees the empty path.
  return {
    ...rest, certFile: value.certFile ?? '', keyFile: value.keyFile ?? '', clientAuth: chosenClientAuth(value, here),
    sni: entries.flatMap(({ certificate }) => certificate ?? []),
  }
}

/** Clients refuse a certificate that says so when no status comes with it. */
function checkStapling (certificates: ReadonlyArray<Pick<SniEntry, 'content' | 'certAt'>>, { ocspStapling }: TlsAsGiven, here: TlsHere): void {
  for (const { content, certAt } of certificates) {
    if (content === undefined || !demandsStapling(content)) continue
    const why = !ocspStapling ? 'and ocsp-stapling is off' : responderOf(content) === undefined ? 'but names nobody to ask over http' : undefined
    if (why === undefined) continue
    here.report.warning('CONFIG_FILE', `a certificate of ${here.scope} must be sent with a revocation status ("must-staple"), ${why}`, certAt, 'clients that heed it refuse the connection')
  }
}

/** A file that names authorities for clients means that clients are checked, unless it says otherwise. */
function chosenClientAuth ({ caFile, clientAuth: wanted }: TlsAsGiven, here: TlsHere): ClientAuth {
  const { report } = here
  if (!here.given('caFile')) {
    if (wanted === 'required' || wanted === 'optional') {
      report.error('CONFIG_MISSING', `${here.scope} asks clients for a certificate but has no 'ca-file'`, here.where('clientAuth'), 'write ca-file "…": the authorities that client certificates must come from')
    }
    return 'off'
  }
  if (caFile !== undefined && !here.textOnly) checkAuthorities(caFile, here)
  if (here.given('clientAuth')) return wanted ?? 'required'
  report.note('CONFIG_DEFAULTED', `${here.scope} has a 'ca-file': clients must show a certificate`, here.where('caFile'), 'write client-auth "required" to say so, or "off"')
  return 'required'
}

function checkVersions ({ minVersion, maxVersion, cipherSuites }: TlsAsGiven, here: TlsHere): void {
  const { report } = here
  if (minVersion > maxVersion) {
    report.error('CONFIG_CONTRADICTION', `'min-version' of ${here.scope} is newer than 'max-version'`, here.where(here.given('maxVersion') ? 'maxVersion' : 'minVersion'))
  } else if (cipherSuites.length > 0 && !cipherSuites.some(suite => versionOfSuite(suite) >= minVersion && versionOfSuite(suite) <= maxVersion)) {
    const version = versionOfSuite(cipherSuites[0] ?? '')
    report.error('CONFIG_CONTRADICTION', `all ciphers of ${here.scope} are of TLS ${version}, which it does not speak`, here.where('cipherSuites'), 'names with WITH in them are of TLS 1.2, those without of TLS 1.3')
  }
}

const pemCertificates = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g

function checkAuthorities (caFile: string, here: TlsHere): void {
  const blocksOfFile = attempt(() => readFileSync(caFile, 'latin1').match(pemCertificates)) ?? []
  const certificates = blocksOfFile.map(pem => attempt(() => new X509Certificate(pem)))
  if (certificates.length === 0 || certificates.includes(undefined)) {
    here.report.error('CONFIG_FILE', `'ca-file' of ${here.scope} holds ${certificates.length === 0 ? 'no certificate' : 'something that is no certificate'} in PEM form`, here.where('caFile'))
    return
  }
  const expired = certificates.find(certificate => certificate !== undefined && new Date(certificate.validTo) < new Date())
  if (expired !== undefined) here.report.warning('CONFIG_FILE', `an authority in 'ca-file' of ${here.scope} expired on ${expired.validTo}`, here.where('caFile'))
  if (!certificates.some(certificate => certificate?.ca === true)) {
    here.report.warning('CONFIG_FILE', `'ca-file' of ${here.scope} holds no authority: no client certificate may come from what is in it`, here.where('caFile'))
  }
}
