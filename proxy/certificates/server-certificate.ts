import { readFile, stat } from 'node:fs/promises'
import { maxCertificateBytes, type SkipReason } from '../../config/sentinel/certificate-folder.ts'
import { namesOf, pairOf, type CertificatePair } from '../../config/sentinel/certificate-pair.ts'
import type { Claimant } from '../../config/sentinel/index.ts'

/** A certificate that clients may be shown, with the names that it is for. Never changed: a newer one takes its place. */
export interface ServerCertificate extends CertificatePair, Claimant {
  /** Path of the file. */
  readonly source: string
}

interface Wishes {
  readonly hostnames?: readonly string[]
  readonly priorityHostnames?: readonly string[]
}

/** A certificate from its files, or why there is none. Rejects never. */
export async function readCertificate (certFile: string, keyFile: string, wishes: Wishes = {}): Promise<ServerCertificate | SkipReason> {
  const { hostnames = [], priorityHostnames = [] } = wishes
  try {
    for (const file of [certFile, keyFile]) if ((await stat(file)).size > maxCertificateBytes) return 'too-large'
    const pair = pairOf(await readFile(certFile), await readFile(keyFile))
    if (typeof pair === 'string') return pair
    return { ...pair, source: certFile, plain: hostnames.length > 0 ? hostnames : namesOf(pair.certificate), priority: priorityHostnames }
  } catch {
    return 'unreadable'
  }
}

/** What people call it: the first name in it, or its file. */
export function titleOf ({ certificate, source }: ServerCertificate): string {
  return namesOf(certificate)[0] ?? source
}
