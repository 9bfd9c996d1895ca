import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ipRange, listenAddress } from '../schema/address.ts'
import type { Here } from '../schema/read-block.ts'
import { named, optionalBlock } from '../schema/blocks.ts'
import { anything, list, notBuilt, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { existingFile, integer, ref, words } from '../schema/values.ts'

const tlsFields = {
  certFile: optional(existingFile, 'Certificate chain in PEM form, the server\'s own first.', { aliases: ['cert', 'cert-path', 'certificate'] }),
  keyFile: optional(existingFile, 'Private key in PEM form.', { aliases: ['key', 'key-path', 'private-key'] }),
  caFile: anything('Authorities that client certificates must come from.', { aliases: ['ca-cert'], refuse: true }),
  clientAuth: anything('Ask clients for a certificate.', { refuse: true }),
  minVersion: anything('Oldest TLS version to accept.'),
  maxVersion: anything('Newest TLS version to accept.'),
  ocspStapling: anything('Send the certificate\'s revocation status along.'),
  sessionResumption: anything('Let clients resume earlier sessions.'),
  cipherSuite: anything('Ciphers to offer.', { aliases: ['cipher-suites', 'ciphers'] }),
  sni: anything('Another certificate for some names.'),
  additionalCerts: anything('Older form of `sni`.'),
  sniCerts: anything('A folder of certificates for many names.'),
  allowSniOverlaps: anything('Let two certificates claim one name.'),
  acme: anything('Get certificates from an authority by itself.'),
  clientCert: anything('Belongs to an upstream\'s `tls`.'),
  clientKey: anything('Belongs to an upstream\'s `tls`.'),
}

const tls = optionalBlock(tlsFields, 'Certificate of an https listener.', { build: checkPair })

interface PairAsGiven {
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

export interface Pair {
  readonly certFile: string
  readonly keyFile: string
}

function checkPair (value: PairAsGiven, here: Here<typeof tlsFields>): Pair {
  const { certFile, keyFile } = value
  const cert = here.given('certFile')
  const key = here.given('keyFile')
  if (cert && !key) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a certificate but no 'key-file'`, here.where('certFile'))
  if (key && !cert) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a key but no 'cert-file'`, here.where('keyFile'))
  if (!cert && !key) {
    const hint = here.given('acme') ? 'getting one with acme is not built yet' : undefined
    here.report.error('CONFIG_MISSING', `${here.scope} needs 'cert-file' and 'key-file'`, here.at, hint)
  }
  if (certFile !== undefined && keyFile !== undefined && !here.textOnly) checkFiles(certFile, keyFile, here)
  // Where one is missing an error was reported: nobody sees the empty path.
  return { certFile: certFile ?? '', keyFile: keyFile ?? '' }
}

/** Opens both files now: at load there is somebody to read the message. The content is never part of it. */
function checkFiles (certFile: string, keyFile: string, here: Here<typeof tlsFields>): void {
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

function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}

const fields = {
  address: required(listenAddress, 'IP and port to listen on. Port 0 lets the system choose.', { aliases: ['bind-address', 'bind'] }),
  protocol: setting(words(['http', 'https'], {
    refused: { h2: 'HTTP/2 is not built yet', http2: 'HTTP/2 is not built yet', h3: 'HTTP/3 is not built yet', http3: 'HTTP/3 is not built yet' },
  }), 'http', 'What clients speak; https without being said when there is a `tls` block.'),
  requestTimeout: setting(durationWithin('1ms'), '60s', 'How long a client may take to send a request head, and to send more of a body.', { aliases: ['request-timeout-secs'] }),
  keepaliveTimeout: setting(durationWithin('1ms'), '75s', 'How long a connection may stay open without a request.', { aliases: ['keepalive-timeout-secs'] }),
  keepaliveMaxRequests: optional(integer(1, 1_000_000_000), 'Requests on one connection before it is closed; without it there is no such limit.'),
  trustedProxies: list(ipRange, [], 'Senders whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.'),
  tls,
  maxConcurrentStreams: anything('Streams of one HTTP/2 connection.'),
  defaultRoute: notBuilt(optional(ref('route'), 'Route for requests that no other route matches.')),
  namespace: anything('Serve the routes of one namespace only.'),
  redirectHttps: anything('Send clients to https.'),
}

export const listeners = named('listener', fields, 'Where requests come in.', {
  min: 1,
  build (value, here) {
    if (value.protocol === 'https' && !here.given('tls')) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} speaks https but has no 'tls' block`, here.where('protocol'), 'write tls { cert-file "…"; key-file "…" }')
    }
    if (value.tls !== undefined && !here.given('protocol')) return { ...value, protocol: 'https' as const }
    if (value.protocol === 'http' && value.tls !== undefined) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a 'tls' block but speaks plain http`, here.where('tls'), 'write protocol "https"')
    }
    return value
  },
})
