import { constants, createHash, hkdfSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, TLSSocket, type SecureContextOptions, type TlsOptions } from 'node:tls'
import type { CertificatePair, TlsSettings } from './listener.ts'

/** All that are good today: an ephemeral key and authenticated encryption. The client's machine may be slow at AES: its order decides about ChaCha20. */
const goodCiphers = [
  'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256',
]

const goodCurves = 'X25519:prime256v1:secp384r1'

/** Of both sides: without SHA-1 and SHA-224, which OpenSSL would still take in TLS 1.2. */
const goodSignatures = [
  'ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384', 'ecdsa_secp521r1_sha512', 'ed25519',
  'rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512', 'rsa_pss_pss_sha256', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha512',
  'rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512',
].join(':')

/** SSL_OP_NO_RENEGOTIATION, which Node knows and its types do not. */
const noRenegotiation = 0x4000_0000

const alwaysOn = constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_PRIORITIZE_CHACHA | noRenegotiation

/** How long a session can be resumed, in seconds. Keys of tickets live longer than this, so that almost no ticket outlives its key. */
const sessionSeconds = 2 * 60 * 60

/** What a handshake is made with. The whole of it, so that nothing of an earlier one stays. */
export function contextOptions (id: string, tls: TlsSettings): SecureContextOptions & Pick<TlsOptions, 'ticketKeys'> {
  const { minVersion = '1.2', maxVersion = '1.3', cipherSuites = [], sessionResumption = true } = tls
  const ticketKeys = ticketKeysOf(id, tls)
  return {
    ...pairOptions(tls, tls.ca),
    minVersion: `TLSv${minVersion}`,
    maxVersion: `TLSv${maxVersion}`,
    ciphers: (cipherSuites.length === 0 ? goodCiphers : cipherSuites).join(':'),
    honorCipherOrder: true,
    ecdhCurve: goodCurves,
    sigalgs: goodSignatures,
    secureOptions: alwaysOn | (sessionResumption ? 0 : constants.SSL_OP_NO_TICKET),
    sessionIdContext: whoMayEnter(id, tls).slice(0, 32),
    sessionTimeout: sessionSeconds,
    ...ticketKeys === undefined ? {} : { ticketKeys },
  }
}

/** Throws when a listener could not make handshakes with these. */
export function checkTls (id: string, tls: TlsSettings): void {
  clientCheck(tls)
  createSecureContext(contextOptions(id, tls))
}

/** Certificate, key and the authorities of clients: what another name on the same port may have of its own. */
export function pairOptions ({ cert, key }: CertificatePair, ca: TlsSettings['ca']): SecureContextOptions {
  return { cert, key, ...ca === undefined ? {} : { ca } }
}

/**
 * The 48 bytes that tickets are sealed with; OpenSSL makes some of its own without a secret. Listeners, and the same listener under other rules
 * for clients, do not open one another's tickets: who resumes is not looked at again.
 */
export function ticketKeysOf (id: string, tls: TlsSettings): Buffer | undefined {
  if (tls.ticketSecret === undefined) return undefined
  return Buffer.from(hkdfSync('sha256', tls.ticketSecret, '', `sentinel ticket ${whoMayEnter(id, tls)}`, 48))
}

function whoMayEnter (id: string, { ca = '', clientAuth = 'off' }: TlsSettings): string {
  return createHash('sha256').update(`${id}\0${clientAuth}\0`).update(ca).digest('hex')
}

/** Whether clients are asked for a certificate. Node keeps this for as long as the server is open. */
export function clientCheck ({ ca, clientAuth = 'off' }: TlsSettings): Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'> {
  if (clientAuth === 'off') return {}
  // Without authorities of its own, OpenSSL would believe every public one.
  if (ca === undefined) throw new Error('client certificates are asked for, but there is no authority to check them by')
  return { requestCert: true, rejectUnauthorized: clientAuth === 'required' }
}

/**
 * Why a client whose handshake is done may not enter after all. A certificate that need not have been shown, and is not believed, makes no anonymous
 * connection. Node takes a resumed session of TLS 1.3 without a certificate for an authorised one, and looks at no dates again.
 */
export function unwantedClient (socket: Socket, clientAuth: TlsSettings['clientAuth'] = 'off'): string | undefined {
  if (clientAuth === 'off' || !(socket instanceof TLSSocket)) return undefined
  const { raw, valid_to: until } = socket.getPeerCertificate()
  if (raw === undefined) return clientAuth === 'required' ? 'none was shown' : undefined
  if (!socket.authorized) return String(socket.authorizationError)
  return socket.isSessionReused() && new Date(until) < new Date() ? 'CERT_HAS_EXPIRED' : undefined
}
