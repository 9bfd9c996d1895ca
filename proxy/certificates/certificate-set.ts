import { basename } from 'node:path'
import type { SkippedEntry, SkipReason, SniCertificate, SniFolder } from '../../config/sentinel/index.ts'
import { assignNames } from '../../config/sentinel/sni-claims.ts'
import { FolderReader } from './folder-reader.ts'
import { readCertificate, type ServerCertificate } from './server-certificate.ts'

/** Where the certificates of a listener are. */
export interface CertificateSources {
  readonly certFile: string
  readonly keyFile: string
  readonly sni: readonly SniCertificate[]
  readonly sniCerts: SniFolder | undefined
}

/** All certificates of a listener as they are now. */
export interface CertificateSet {
  /** For clients that ask for no name that is known. */
  readonly own: ServerCertificate
  readonly others: readonly ServerCertificate[]
  readonly named: ReadonlyMap<string, ServerCertificate>
  readonly skipped: ReadonlyArray<SkippedEntry | { readonly file: string, readonly reason: 'name-taken' }>
}

/** What stays the same while a folder is read anew. */
export interface FixedCertificates {
  readonly own: ServerCertificate
  readonly sni: readonly ServerCertificate[]
}

/** Rejects when one of those that the file names cannot be used. */
export async function readFixed ({ certFile, keyFile, sni }: CertificateSources): Promise<FixedCertificates> {
  const named: ServerCertificate[] = []
  for (const one of sni) named.push(good(await readCertificate(one.certFile, one.keyFile, one), one.certFile))
  return { own: good(await readCertificate(certFile, keyFile), certFile), sni: named }
}

function good (read: ServerCertificate | SkipReason, file: string): ServerCertificate {
  if (typeof read === 'string') throw new Error(`the certificate in ${file} cannot be used: ${read}`)
  return read
}

/** Certificates of the file come before those of the folder, which come in the order of their names. */
export async function combine ({ own, sni }: FixedCertificates, folder: FolderReader | undefined): Promise<CertificateSet> {
  const { certificates, skipped } = await folder?.read() ?? { certificates: [], skipped: [] }
  const others = [...sni, ...certificates]
  const { owners, disputes } = assignNames(others)
  const taken = [...new Set(disputes.map(({ second }) => second))].map(({ source }) => ({ file: basename(source), reason: 'name-taken' as const }))
  return { own, others, named: owners, skipped: [...skipped, ...taken] }
}

/** Whether clients would be shown the same. */
export function isSameSet (a: CertificateSet, b: CertificateSet): boolean {
  return a.own === b.own && a.others.length === b.others.length && a.others.every((one, i) => one === b.others[i])
}
