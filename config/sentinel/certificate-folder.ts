import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { attempt, namesOf, pairOf, type PairFault } from './certificate-pair.ts'

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
  readonly found: readonly NamedFile[]
  readonly skipped: readonly SkippedEntry[]
}

export interface NamedFile {
  readonly file: string
  /** Hosts that the certificate in it is for. */
  readonly names: readonly string[]
}

interface Looked {
  readonly stamp: string
  readonly outcome: readonly string[] | SkipReason
}

/** What the last look at each folder showed: a proxy that reloads serves meanwhile, and must not read thousands of files that did not change. */
const looked = new Map<string, ReadonlyMap<string, Looked>>()

/** Everything in a folder, at once: for whoever judges a configuration. */
export function lookIntoFolder (folder: string): FolderContent {
  const { pairs, skipped } = pairsAmong(attempt(() => readdirSync(folder)) ?? [])
  const before = looked.get(folder)
  const now = new Map<string, Looked>()
  const found: NamedFile[] = []
  for (const { certFile, keyFile } of pairs) {
    const files = [join(folder, certFile), join(folder, keyFile)] as const
    const stamp = attempt(() => files.map(stampOf).join(' ')) ?? 'gone'
    const known = before?.get(certFile)
    const { outcome } = known?.stamp === stamp ? known : { outcome: namesOfPair(files) }
    now.set(certFile, { stamp, outcome })
    if (typeof outcome === 'string') skipped.push({ file: certFile, reason: outcome })
    else found.push({ file: certFile, names: outcome })
  }
  looked.set(folder, now)
  return { found, skipped }
}

function namesOfPair ([certFile, keyFile]: readonly [string, string]): readonly string[] | SkipReason {
  return attempt(() => {
    if ([certFile, keyFile].some(file => statSync(file).size > maxCertificateBytes)) return 'too-large'
    const pair = pairOf(readFileSync(certFile), readFileSync(keyFile))
    return typeof pair === 'string' ? pair : namesOf(pair.certificate)
  }) ?? 'unreadable'
}

function stampOf (file: string): string {
  const { ino, size, mtimeMs, ctimeMs } = statSync(file)
  return `${ino}:${size}:${mtimeMs}:${ctimeMs}`
}

export const skipReasons = {
  'no-certificate': 'there is no certificate in PEM form',
  'no-key': 'there is no private key in PEM form, or it has a passphrase',
  'wrong-key': 'the key does not belong to the certificate',
  'too-weak': 'its key is too short, or its signature of an old kind',
  'unreadable': 'it cannot be read',
  'too-large': 'it is larger than any certificate',
  'second-certificate': 'another file of that name holds the certificate',
  'too-many': 'there are too many',
} as const
