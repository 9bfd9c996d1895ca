import { createHash, X509Certificate } from 'node:crypto'
import { responderOf } from '../../../config/sentinel/certificate-pair.ts'
import { BadAnswer, readAnswer, type Answer } from './answer.ts'
import { askResponder } from './fetch.ts'
import { questionAbout, type Question } from './question.ts'
import { titleOf, type ServerCertificate } from '../server-certificate.ts'
import { backOffMs, refreshMs } from './schedule.ts'

/** Questions on their way at a time. */
const atOnce = 4

export type StaplingOutcome = Answer['status'] | 'failed'

export interface StaplerHooks {
  /** After each question: what came of it, and a sentence where it is no "good". `isNews`: it is not what came of the question before. */
  readonly told: (title: string, outcome: StaplingOutcome, detail: string, isNews: boolean) => void
  /** For tests. */
  readonly ask?: typeof askResponder
  readonly now?: () => number
}

interface Entry {
  readonly key: string
  readonly title: string
  readonly url: string
  readonly question: Question
  readonly issuer: X509Certificate
  timer: NodeJS.Timeout | undefined
  failures: number
  said: StaplingOutcome | undefined
  kept: { readonly bytes: Buffer, readonly answer: Answer, readonly until: number } | undefined
}

/** Without word of when there is newer word, an answer is sent along for this long. */
const withoutEndMs = 60 * 60_000

/**
 * Keeps for each certificate what its authority last said about it. Handshakes take what is there and wait for nothing; responders are asked
 * beside them, and an answer is only kept when it is believed.
 */
export class Stapler {
  readonly #hooks: StaplerHooks
  readonly #entries = new Map<string, Entry>()
  readonly #waiting: Entry[] = []
  readonly #closing = new AbortController()
  #asking = 0

  constructor (hooks: StaplerHooks) {
    this.#hooks = hooks
  }

  /** These and no others from now on. What is known of those that stay is kept. */
  keep (certificates: readonly ServerCertificate[]): void {
    const wanted = new Set<string>()
    for (const one of certificates) {
      const key = keyOf(one.certificate.raw)
      wanted.add(key)
      if (!this.#entries.has(key)) this.#begin(key, one)
    }
    for (const [key, { timer }] of this.#entries) {
      if (wanted.has(key)) continue
      clearTimeout(timer)
      this.#entries.delete(key)
    }
  }

  /** What to send along with this certificate (DER); `undefined` when nothing good is known. */
  statusOf (certificate: Buffer): Buffer | undefined {
    const kept = this.#entries.get(keyOf(certificate))?.kept
    return kept !== undefined && kept.until > this.#now() ? kept.bytes : undefined
  }

  close (): void {
    this.keep([])
    this.#closing.abort()
  }

  #begin (key: string, one: ServerCertificate): void {
    const { certificate, cert } = one
    const title = titleOf(one)
    const url = responderOf(certificate)
    if (url === undefined) return
    const issuer = issuerIn(cert, certificate)
    if (issuer === undefined) return this.#hooks.told(title, 'failed', 'its file does not hold the certificate that issued it', true)
    try {
      const question = questionAbout(certificate, issuer)
      const entry: Entry = { key, title, url, issuer, question, timer: undefined, failures: 0, said: undefined, kept: undefined }
      this.#entries.set(key, entry)
      this.#enqueue(entry)
    } catch {
      this.#hooks.told(title, 'failed', 'no question can be made of it', true)
    }
  }

  #enqueue (entry: Entry): void {
    this.#waiting.push(entry)
    this.#next()
  }

  #next (): void {
    while (this.#asking < atOnce) {
      const entry = this.#waiting.shift()
      if (entry === undefined) return
      if (this.#entries.get(entry.key) !== entry) continue
      this.#asking++
      void this.#refresh(entry).finally(() => {
        this.#asking--
        this.#next()
      })
    }
  }

  async #refresh (entry: Entry): Promise<void> {
    const waitMs = await this.#ask(entry)
    if (this.#entries.get(entry.key) !== entry) return
    entry.timer = setTimeout(() => this.#enqueue(entry), waitMs).unref()
  }

  /** Gives the time until the next question. Never rejects. */
  async #ask (entry: Entry): Promise<number> {
    try {
      const bytes = await (this.#hooks.ask ?? askResponder)(entry.url, entry.question.bytes, this.#closing.signal)
      const now = this.#now()
      const answer = readAnswer(bytes, { id: entry.question.id, issuer: entry.issuer, now })
      if (answer.status === 'unknown') throw new BadAnswer('the responder does not know the certificate')
      // An older answer than the one that is kept is somebody's attempt, or a responder that lags behind.
      if (entry.kept !== undefined && answer.thisUpdate < entry.kept.answer.thisUpdate) throw new BadAnswer('it is older than the one before')
      entry.failures = 0
      entry.kept = answer.status === 'good' ? { bytes, answer, until: answer.nextUpdate ?? now + withoutEndMs } : undefined
      this.#tell(entry, answer.status, answer.status === 'revoked' ? 'the authority has revoked it' : '')
      return refreshMs(answer, now, Math.random())
    } catch (error) {
      if (this.#closing.signal.aborted) return 0
      entry.failures++
      this.#tell(entry, 'failed', error instanceof Error ? error.message : String(error))
      return backOffMs(entry.failures, Math.random())
    }
  }

  #tell (entry: Entry, outcome: StaplingOutcome, detail: string): void {
    const isNews = entry.said !== outcome
    entry.said = outcome
    this.#hooks.told(entry.title, outcome, detail, isNews)
  }

  #now (): number {
    return this.#hooks.now?.() ?? Date.now()
  }
}

function keyOf (certificate: Buffer): string {
  return createHash('sha256').update(certificate).digest('base64')
}

/** The certificate behind the server's own, if it is the one that issued it. */
function issuerIn (chain: Buffer, certificate: X509Certificate): X509Certificate | undefined {
  const [, ...issuers] = chain.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  for (const pem of issuers) {
    const issuer = new X509Certificate(pem)
    if (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) return issuer
  }
  return undefined
}
