import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { attempt, pairOf, type CertificatePair, type PairFault } from './certificate-pair.ts'

/** Two files of one name, or one that holds both. */
export interface FolderPair {
  readonly stem: string
  readonly certFile: string
  readonly keyFile: string
}

export type SkipReason = PairFault | 'unreadable' | 'too-large' | 'second-certificate' | 'too-many'

export interface SkippedEntry {
  readonly file: string
  readonly reason: SkipReason
}

/** No certificate with its chain is larger. */
export const maxCertificateBytes = 1024 * 1024

/** Pairs of one folder. */
const maxPairs = 50_000

/** Endings of certificates, the preferred one first. */
const endings = ['crt', 'pem', 'cert']

/** Which of these files belong together. What is neither a certificate nor a key by its ending is nobody's business, hidden files neither. */
export function pairsAmong (names: readonly string[]): { readonly pairs: FolderPair[], readonly skipped: SkippedEntry[] } {
  const byStem = new Map<string, string[]>()
  for (const name of names.toSorted()) {
    const [, stem, ending] = /^([^.].*)\.(crt|pem|cert|key)$/.exec(name) ?? []
    if (stem !== undefined && ending !== undefined) byStem.set(stem, [...byStem.get(stem) ?? [], ending])
  }
  const pairs: FolderPair[] = []
  const skipped: SkippedEntry[] = []
  for (const [stem, found] of byStem) {
    const [ending, ...others] = endings.filter(one => found.includes(one))
    for (const other of others) skipped.push({ file: `${stem}.${other}`, reason: 'second-certificate' })
    if (ending === undefined) skipped.push({ file: `${stem}.key`, reason: 'no-certificate' })
    else if (pairs.length >= maxPairs) skipped.push({ file: `${stem}.${ending}`, reason: 'too-many' })
    else if (found.includes('key')) pairs.push({ stem, certFile: `${stem}.${ending}`, keyFile: `${stem}.key` })
    else if (ending === 'pem') pairs.push({ stem, certFile: `${stem}.pem`, keyFile: `${stem}.pem` })
    else skipped.push({ file: `${stem}.${ending}`, reason: 'no-key' })
  }
  return { pairs, skipped }
}

export interface FolderContent {
  readonly found: ReadonlyArray<{ readonly file: string, readonly pair: CertificatePair }>
  readonly skipped: readonly SkippedEntry[]
}

/** Everything in a folder, at once: for whoever judges a configuration. */
export function readCertificateFolder (folder: string): FolderContent {
  const { pairs, skipped } = pairsAmong(attempt(() => readdirSync(folder)) ?? [])
  const found: Array<{ file: string, pair: CertificatePair }> = []
  for (const { certFile, keyFile } of pairs) {
    const pair = attempt(() => {
      const sizes = [certFile, keyFile].map(name => statSync(join(folder, name)).size)
      return sizes.some(bytes => bytes > maxCertificateBytes) ? 'too-large' : pairOf(readFileSync(join(folder, certFile)), readFileSync(join(folder, keyFile)))
    }) ?? 'unreadable'
    if (typeof pair === 'string') skipped.push({ file: certFile, reason: pair })
    else found.push({ file: certFile, pair })
  }
  return { found, skipped }
}
