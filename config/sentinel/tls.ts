import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { KdlNode } from '../kdl/nodes.ts'
import { blocks, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { inert, list, notBuilt, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, existingFile, existingFolder, path, words } from '../schema/values.ts'
import { acme } from './acme.ts'
import type { ClientAuth, TlsVersion } from './tls-types.ts'
import { cipherSuite, clientAuth, tlsVersion, versionOfSuite } from './tls-types.ts'
import { host } from './types.ts'

const pairFields = {
  certFile: optional(existingFile, 'Certificate chain in PEM form, the server\'s own first.', { aliases: ['cert', 'cert-path', 'certificate'] }),
  keyFile: optional(existingFile, 'Private key in PEM form.', { aliases: ['key', 'key-path', 'private-key'] }),
}

/** Both the `tls` block and each `sni` have a pair: what the checks need of either. */
type PairHere = Pick<Here<typeof pairFields>, 'at' | 'scope' | 'report' | 'textOnly' | 'where' | 'given'>

const sniFields = {
  hostnames: list(host, [], 'Names that get this certificate; without them those in the certificate.', { aliases: ['hostname'] }),
  priorityHostnames: list(host, [], 'Names that get this certificate even if another has them too; all names in the certificate count as well.'),
  ...pairFields,
  acme,
}

const sni = blocks(sniFields, 'Another certificate for some names.', {
  example: `sni {
    hostnames "shop.example.com" "*.shop.example.com"
    cert-file "/etc/sentinel/certs/shop.crt"
    key-file "/etc/sentinel/certs/shop.key"
}`,
  build (value, here) {
    const { report } = here
    const pair = here.given('certFile') || here.given('keyFile')
    if (here.given('acme')) {
      if (pair) report.error('CONFIG_CONTRADICTION', `${here.scope} has a certificate and an 'acme' block`, here.where('acme'), 'keep one of them')
    } else {
      checkPair(value, here, 'write cert-file and key-file, or an acme block')
    }
    if (here.given('hostnames') && here.given('priorityHostnames')) {
      report.error('CONFIG_CONTRADICTION', `${here.scope} has 'hostnames' and 'priority-hostnames'`, here.where('priorityHostnames'), 'hostnames are the only names, priority-hostnames come first among those of the certificate')
    }
    const plain = value.hostnames.length > 0 ? value.hostnames : value.acme?.domains ?? []
    return { at: here.given('hostnames') ? here.where('hostnames') : value.at, plain, priority: value.priorityHostnames, priorityAt: here.where('priorityHostnames') }
  },
})

const tlsFields = {
  ...pairFields,
  caFile: optional(existingFile, 'Authorities in PEM form that client certificates must come from.', { aliases: ['ca-cert', 'client-ca'] }),
  clientAuth: optional(clientAuth, 'Ask clients for a certificate: required = no connection without one, optional = one that is shown must be good. Without it: required when there is a `ca-file`.'),
  minVersion: setting(tlsVersion, '1.2', 'Oldest TLS version to speak.'),
  maxVersion: setting(tlsVersion, '1.3', 'Newest TLS version to speak.'),
  cipherSuites: list(cipherSuite, [], 'Ciphers to offer, the best first; without them all that are good. Names of the standard or of OpenSSL.', { aliases: ['cipher-suite', 'ciphers'], commas: true }),
  ocspStapling: notBuilt(setting(bool, true, 'Send the certificate\'s revocation status along.')),
  sessionResumption: notBuilt(setting(bool, true, 'Let clients resume earlier sessions; they may, as long as this has no effect.')),
  // Before `sni`: where both ask for one name, the first one is the one further up.
  acme: notBuilt(acme),
  sni: notBuilt(sni),
  sniCerts: notBuilt(optionalBlock({
    certFolder: required(existingFolder, 'Folder with pairs of one name, `shop.crt` and `shop.key`, or both in `shop.pem`. Folders in it are not looked at.'),
    reloadMode: setting(words(['off', 'interval', 'watch'], {}), 'off', 'When to look for new files: never, from time to time, or when something changes.'),
    reloadInterval: setting(durationWithin('1s', '1d'), '30s', 'Time between two looks.', { aliases: ['reload-interval-secs'] }),
  }, 'A folder of certificates for many names.', {
    args: ['certFolder'],
    example: 'sni-certs {\n    cert-folder "/etc/sentinel/certs/tenants"\n    reload-mode "watch"\n}',
  })),
  allowSniOverlaps: notBuilt(setting(bool, false, 'Let two certificates claim one name: the first one gets it.')),
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

interface Pair {
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

interface TlsAsGiven extends Pair {
  readonly caFile: string | undefined
  readonly clientAuth: ClientAuth | undefined
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly cipherSuites: readonly string[]
}

type TlsHere = Here<typeof tlsFields>

/** Names of certificates, keys and authorities are paths; what they hold was looked at. */
export interface Tls extends Omit<TlsAsGiven, 'certFile' | 'keyFile' | 'clientAuth'> {
  readonly certFile: string
  readonly keyFile: string
  readonly clientAuth: ClientAuth
}

function readTls (value: TlsAsGiven, here: TlsHere): Tls {
  const { report } = here
  const pair = here.given('certFile') || here.given('keyFile')
  if (pair || !here.given('acme')) {
    checkPair(value, here, 'write cert-file "…" and key-file "…"')
  } else if (!here.textOnly) {
    report.error('CONFIG_NOT_BUILT', `${here.scope} has no certificate: getting one with acme is not built yet`, here.where('acme'), 'write cert-file and key-file until then')
  }
  checkVersions(value, here)
  checkOverlaps(here)
  const { caFile, minVersion, maxVersion, cipherSuites } = value
  // Where one is missing an error was reported: nobody sees the empty path.
  return { certFile: value.certFile ?? '', keyFile: value.keyFile ?? '', caFile, clientAuth: chosenClientAuth(value, here), minVersion, maxVersion, cipherSuites }
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

/** One name, two certificates: which one a client gets would be chance. */
function checkOverlaps (here: TlsHere): void {
  if (here.unbuilt('allowSniOverlaps') === true) return
  const entries = here.unbuilt('sni') ?? []
  const claimed = new Map<string, (typeof entries)[number]['at']>()
  const decided = new Set(entries.flatMap(entry => entry.priority))
  const claim = (name: string, at: (typeof entries)[number]['at']): void => {
    const first = claimed.get(name)
    if (first === undefined) {
      claimed.set(name, at)
      return
    }
    here.report.add('error', 'CONFIG_CONTRADICTION', `two certificates of ${here.scope} claim '${name}'`, at,
      { hint: 'leave it out of one, or write allow-sni-overlaps #true', related: { message: 'the other one is', position: first } })
  }
  for (const { priority, priorityAt } of entries) for (const name of priority) claim(name, priorityAt)
  for (const { plain, at } of entries) {
    for (const name of new Set(plain)) if (!decided.has(name)) claim(name, at)
  }
}

function checkPair ({ certFile, keyFile }: Pair, here: PairHere, hint: string): void {
  const cert = here.given('certFile')
  const key = here.given('keyFile')
  if (cert && !key) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a certificate but no 'key-file'`, here.where('certFile'))
  if (key && !cert) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a key but no 'cert-file'`, here.where('keyFile'))
  if (!cert && !key) here.report.error('CONFIG_MISSING', `${here.scope} needs 'cert-file' and 'key-file'`, here.at, hint)
  if (certFile !== undefined && keyFile !== undefined && !here.textOnly) checkFiles(certFile, keyFile, here)
}

/** Opens both files now: at load there is somebody to read the message. The content is never part of it. */
function checkFiles (certFile: string, keyFile: string, here: PairHere): void {
  const certificate = attempt(() => new X509Certificate(readFileSync(certFile)))
  const key = attempt(() => createPrivateKey(readFileSync(keyFile)))
  if (certificate === undefined) here.report.error('CONFIG_FILE', `'cert-file' of ${here.scope} holds no certificate in PEM form`, here.where('certFile'))
  if (key === undefined) here.report.error('CONFIG_FILE', `'key-file' of ${here.scope} holds no private key in PEM form`, here.where('keyFile'), 'keys with a passphrase are not supported')
  if (certificate === undefined || key === undefined) return
  if (!certificate.checkPrivateKey(key)) here.report.error('CONFIG_CONTRADICTION', `the key of ${here.scope} does not belong to the certificate`, here.where('keyFile'))
  if (new Date(certificate.validTo) < new Date()) {
    here.report.warning('CONFIG_FILE', `the certificate of ${here.scope} expired on ${certificate.validTo}`, here.where('certFile'))
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

function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
