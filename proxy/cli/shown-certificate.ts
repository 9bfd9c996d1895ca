import { isIP } from 'node:net'
import { namesOf, type SentinelConfig } from '../../config/sentinel/index.ts'
import { combine, FolderReader, readFixed } from '../certificates/index.ts'
import { findByName } from '../listeners/index.ts'

/** The certificate that a client is shown which asks for the host of a request. */
export interface ShownCertificate {
  readonly file: string
  /** Whether it is there for that name, or as the listener's own. */
  readonly by: 'name' | 'default'
  readonly names: readonly string[]
  /** Whether a client that looks for the host in it finds it. */
  readonly covers: boolean
}

/** `null` where no TLS is spoken, and where the certificates cannot be read. */
export async function shownCertificate (listener: string, authority: string, { listeners }: SentinelConfig): Promise<ShownCertificate | null> {
  const tls = listeners.find(({ id }) => id === listener)?.tls
  if (tls === undefined) return null
  const host = authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  try {
    const set = await combine(await readFixed(tls), tls.sniCerts === undefined ? undefined : new FolderReader(tls.sniCerts.certFolder))
    // Clients ask for no address by name (RFC 6066 section 3).
    const found = isIP(host) === 0 ? findByName(set.named, host) : undefined
    const { source, certificate } = found ?? set.own
    const covers = (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined
    return { file: source, by: found === undefined ? 'default' : 'name', names: namesOf(certificate), covers }
  } catch {
    return null
  }
}
