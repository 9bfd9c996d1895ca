import { readFile } from 'node:fs/promises'
import { skipReasons } from '../../config/sentinel/certificate-folder.ts'
import type { ListenerConfig, TlsConfig } from '../../config/sentinel/index.ts'
import {
  combine, ExpiryNotices, FolderReader, isSameSet, readFixed, Stapler, titleOf, watchFolder,
  type CertificateSet, type FixedCertificates, type FolderWatch, type ServerCertificate,
} from '../certificates/index.ts'
import type { Listener, TlsSettings } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { MetricTable } from '../observe/metrics-table.ts'

/** What a listener is about to be given: read, and in nobody's hands yet. */
export interface PreparedTls {
  readonly config: TlsConfig
  readonly fixed: FixedCertificates
  readonly reader: FolderReader | undefined
  readonly set: CertificateSet
  readonly settings: TlsSettings
}

interface Held {
  readonly prepared: PreparedTls
  readonly listener: Pick<Listener, 'replaceTls' | 'renewTickets'>
  readonly watch: FolderWatch | undefined
  /** Newer than those of `prepared` when the folder changed since. */
  set: CertificateSet
  /** The last look at the folder failed: said once, not at each look. */
  failing: boolean
}

export interface CertificateSurroundings {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'table' | 'onScrape'>
  /** What tickets of sessions are sealed with. */
  readonly ticketSecret: Buffer
}

const lookAtDatesMs = 60 * 60_000

/** The certificates of all listeners of this process: what they are shown with, how long they last, and what authorities say about them. */
export class Certificates {
  readonly #log: Log
  readonly #table: MetricTable
  readonly #held = new Map<string, Held>()
  readonly #stapler: Stapler
  #ticketSecret: Buffer
  readonly #notices = new ExpiryNotices()
  readonly #clock: NodeJS.Timeout
  readonly #forget: () => void

  constructor ({ log, metrics, ticketSecret }: CertificateSurroundings) {
    this.#log = log.child({ component: 'certificates' })
    this.#table = metrics.table
    this.#forget = metrics.onScrape((table) => this.#tell(table))
    this.#stapler = new Stapler({
      told: (title, outcome, detail, isNews) => {
        this.#table.tlsStapling.cell(outcome).add()
        if (!isNews) return
        if (outcome === 'revoked') this.#log.error(`the certificate of ${title} was revoked`, { event: 'certificate-revoked' })
        else if (outcome === 'failed') this.#log.warn(`no revocation status to send along with the certificate of ${title}: ${detail}`, { event: 'ocsp-failed' })
      },
    })
    this.#ticketSecret = ticketSecret
    this.#clock = setInterval(() => this.#warnOfEnds(), lookAtDatesMs).unref()
  }

  /** Reads what a listener needs; changes nothing. Rejects when a certificate that the configuration names cannot be used. */
  async prepare ({ id, tls }: ListenerConfig): Promise<PreparedTls | undefined> {
    if (tls === undefined) return undefined
    const { caFile, clientAuth, sniCerts } = tls
    const fixed = await readFixed(tls)
    const earlier = this.#held.get(id)?.prepared.reader
    const reader = sniCerts === undefined ? undefined : earlier?.folder === sniCerts.certFolder ? earlier : new FolderReader(sniCerts.certFolder)
    const set = await combine(fixed, reader)
    const ca = caFile === undefined || clientAuth === 'off' ? undefined : await readFile(caFile)
    return { config: tls, fixed, reader, set, settings: this.#settings(tls, set, ca) }
  }

  /** The listener has been given what was prepared for it. */
  hold (id: string, prepared: PreparedTls, listener: Held['listener']): void {
    const before = this.#held.get(id)
    before?.watch?.close()
    const { config: { sniCerts }, set } = prepared
    const watch = sniCerts === undefined || sniCerts.reloadMode === 'off' ? undefined : watchFolder(sniCerts.certFolder, {
      mode: sniCerts.reloadMode, intervalMs: sniCerts.reloadInterval, look: () => this.#lookAgain(id),
    })
    this.#held.set(id, { prepared, listener, watch, set, failing: false })
    // It may have been renewed since this was prepared.
    if (prepared.config.sessionResumption) listener.renewTickets(this.#ticketSecret)
    this.#tellSkipped(id, set, before?.set)
    if (before !== undefined) this.#table.tlsReloads.cell('success').add()
    this.#changed()
  }

  /** The listener keeps what it has. */
  kept (id: string, error: unknown): void {
    this.#table.tlsReloads.cell('failure').add()
    this.#log.error(`listener '${id}' keeps its certificates: the new ones cannot be used`, { event: 'certificate-kept', listener: id, error })
  }

  /** Tickets are sealed with this from now on. */
  renewTickets (secret: Buffer): void {
    this.#ticketSecret = secret
    for (const { listener, prepared } of this.#held.values()) if (prepared.config.sessionResumption) listener.renewTickets(secret)
  }

  /** Other listeners have no certificates any more, or are gone. */
  keepOnly (ids: ReadonlySet<string>): void {
    const gone = [...this.#held.keys()].filter((id) => !ids.has(id))
    for (const id of gone) {
      this.#held.get(id)?.watch?.close()
      this.#held.delete(id)
    }
    if (gone.length > 0) this.#changed()
  }

  close (): void {
    for (const { watch } of this.#held.values()) watch?.close()
    this.#held.clear()
    this.#stapler.close()
    clearInterval(this.#clock)
    this.#forget()
  }

  #settings (config: TlsConfig, set: CertificateSet, ca: Buffer | undefined): TlsSettings {
    const { clientAuth, minVersion, maxVersion, cipherSuites, ocspStapling, sessionResumption } = config
    return {
      cert: set.own.cert, key: set.own.key, named: set.named,
      ...ca === undefined ? {} : { ca },
      clientAuth, minVersion, maxVersion, cipherSuites, sessionResumption,
      ...sessionResumption ? { ticketSecret: this.#ticketSecret } : {},
      ...ocspStapling ? { staple: (certificate: Buffer) => this.#stapler.statusOf(certificate) } : {},
    }
  }

  async #lookAgain (id: string): Promise<void> {
    const held = this.#held.get(id)
    if (held === undefined) return
    const { prepared: { config, fixed, reader, settings }, listener } = held
    try {
      const set = await combine(fixed, reader)
      // While the folder was read, a reload may have been faster.
      if (this.#held.get(id) !== held) return
      held.failing = false
      this.#tellSkipped(id, set, held.set)
      if (isSameSet(set, held.set)) {
        held.set = set
        return
      }
      listener.replaceTls(this.#settings(config, set, settings.ca === undefined ? undefined : Buffer.from(settings.ca)))
      held.set = set
      this.#table.tlsReloads.cell('success').add()
      this.#log.info(`listener '${id}' has ${set.others.length + 1} certificates after its folder changed`, { event: 'certificates-reloaded', listener: id })
      this.#changed()
    } catch (error) {
      if (!held.failing) this.kept(id, error)
      held.failing = true
    }
  }

  #changed (): void {
    const stapled = [...this.#held.values()].filter(({ prepared }) => prepared.config.ocspStapling)
    this.#stapler.keep(stapled.flatMap(({ set }) => [set.own, ...set.others]))
    this.#warnOfEnds()
  }

  #warnOfEnds (): void {
    const all = [...this.#held.values()].flatMap(({ set }) => [set.own, ...set.others].map((one) => ({
      id: one.certificate.fingerprint256, title: titleOf(one), validTo: endOf(one),
    })))
    for (const { title, text, expired } of this.#notices.due(all)) {
      this.#log[expired ? 'error' : 'warn'](`the certificate of ${title} ${text}`, { event: 'certificate-expiry' })
    }
  }

  /** Each file once, and again when it is left out for another reason. */
  #tellSkipped (id: string, { skipped }: CertificateSet, before: CertificateSet | undefined): void {
    const known = new Set(before?.skipped.map(({ file, reason }) => `${reason} ${file}`))
    for (const { file, reason } of skipped) {
      if (known.has(`${reason} ${file}`)) continue
      this.#table.tlsFolderSkipped.cell(reason).add()
      const why = reason === 'name-taken' ? 'another certificate has a name of it already' : skipReasons[reason]
      this.#log.warn(`'${file}' in the certificate folder of listener '${id}' is left out: ${why}`, { event: 'certificate-skipped', listener: id, reason })
    }
  }

  #tell (table: MetricTable): void {
    table.tlsCertificates.clear()
    table.tlsCertificateExpiry.clear()
    for (const [id, { set }] of this.#held) {
      table.tlsCertificates.cell(id).set(set.others.length + 1)
      for (const one of [set.own, ...set.others]) {
        const cell = table.tlsCertificateExpiry.cell(id, titleOf(one))
        const seconds = endOf(one) / 1000
        if (cell.value === 0 || seconds < cell.value) cell.set(seconds)
      }
    }
  }
}

function endOf ({ certificate }: ServerCertificate): number {
  return new Date(certificate.validTo).getTime()
}
