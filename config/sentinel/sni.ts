import type { X509Certificate } from 'node:crypto'
import { basename } from 'node:path'
import type { Position } from '../kdl/position.ts'
import { blocks, optionalBlock } from '../schema/blocks.ts'
import { list, notBuilt, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Report } from '../schema/report.ts'
import { existingFolder, words } from '../schema/values.ts'
import { acme } from './acme.ts'
import { checkPair, pairFields } from './certificate-files.ts'
import { namesOf } from './certificate-pair.ts'
import { lookIntoFolder, skipReasons } from './certificate-folder.ts'
import { assignNames, type Claimant, type Dispute } from './sni-claims.ts'
import { host } from './types.ts'

const sniFields = {
  hostnames: list(host, [], 'Names that get this certificate; without them those in the certificate.', { aliases: ['hostname'] }),
  priorityHostnames: list(host, [], 'Names that get this certificate even if another has them too; all names in the certificate count as well.'),
  ...pairFields,
  acme: notBuilt(acme),
}

/** Another certificate, and the names it is for. */
export interface SniCertificate {
  readonly certFile: string
  readonly keyFile: string
  /** Its only names; those in the certificate when there are none. */
  readonly hostnames: readonly string[]
  /** Names that are its own whoever else has them. */
  readonly priorityHostnames: readonly string[]
}

/** What a message needs to know of somebody who wants names. */
interface PlacedClaimant extends Claimant {
  readonly at: Position
  readonly priorityAt: Position
  /** The file, where the names come out of it. */
  readonly file: string | undefined
}

export interface SniEntry extends PlacedClaimant {
  readonly certificate: SniCertificate | undefined
  /** What its file holds, where files are looked at. */
  readonly content: X509Certificate | undefined
  readonly certAt: Position
}

export const sni = blocks(sniFields, 'Another certificate for some names.', {
  example: `sni {
    hostnames "shop.example.com" "*.shop.example.com"
    cert-file "/etc/sentinel/certs/shop.crt"
    key-file "/etc/sentinel/certs/shop.key"
}`,
  build (value, here): SniEntry {
    const { report } = here
    const { certFile, keyFile, hostnames, priorityHostnames } = value
    const ordered = here.unbuilt('acme')
    const pair = here.given('certFile') || here.given('keyFile')
    if (here.given('acme') && pair) {
      report.error('CONFIG_CONTRADICTION', `${here.scope} has a certificate and an 'acme' block`, here.where('acme'), 'keep one of them')
    }
    const certificate = here.given('acme') ? undefined : checkPair(value, here, 'write cert-file and key-file, or an acme block')
    if (here.given('hostnames') && here.given('priorityHostnames')) {
      report.error('CONFIG_CONTRADICTION', `${here.scope} has 'hostnames' and 'priority-hostnames'`, here.where('priorityHostnames'), 'hostnames are the only names, priority-hostnames come first among those of the certificate')
    }
    const own = certificate === undefined ? ordered?.domains ?? [] : namesOf(certificate)
    if (certificate !== undefined && hostnames.length + priorityHostnames.length + own.length === 0) {
      report.error('CONFIG_MISSING', `the certificate of ${here.scope} names no host`, here.where('certFile'), 'write hostnames "…": the names that get it')
    }
    if (certificate !== undefined) {
      for (const name of [...hostnames, ...priorityHostnames].filter(one => !isFor(certificate, own, one)).slice(0, maxTold)) {
        const at = here.where(hostnames.length > 0 ? 'hostnames' : 'priorityHostnames')
        report.warning('CONFIG_FILE', `the certificate of ${here.scope} does not name '${name}'`, at, 'clients that ask for it refuse the connection')
      }
    }
    return {
      at: here.where(here.given('hostnames') ? 'hostnames' : 'certFile'), priorityAt: here.where('priorityHostnames'),
      plain: hostnames.length > 0 ? hostnames : own, priority: priorityHostnames,
      file: hostnames.length > 0 || certFile === undefined ? undefined : basename(certFile),
      certificate: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile, hostnames, priorityHostnames },
      content: certificate, certAt: here.where('certFile'),
    }
  },
})

function isFor (certificate: X509Certificate, names: readonly string[], wanted: string): boolean {
  return names.includes(wanted) || (!wanted.startsWith('*') && certificate.checkHost(wanted) !== undefined)
}

/** A folder of certificates, and when it is looked at again. */
export interface SniFolder {
  readonly certFolder: string
  readonly reloadMode: 'off' | 'interval' | 'watch'
  /** Milliseconds. */
  readonly reloadInterval: number
  readonly at: Position
}

export const sniCerts = optionalBlock({
  certFolder: required(existingFolder, 'Folder with pairs of one name, `shop.crt` and `shop.key`, or both in `shop.pem`. Folders in it are not looked at.'),
  reloadMode: setting(words(['off', 'interval', 'watch'], {}), 'off', 'When to look for new files besides reloads of the configuration: never, from time to time, or when something changes.'),
  reloadInterval: setting(durationWithin('1s', '1d'), '30s', 'Time between two looks.', { aliases: ['reload-interval-secs'] }),
}, 'A folder of certificates for many names.', {
  args: ['certFolder'],
  example: 'sni-certs {\n    cert-folder "/etc/sentinel/certs/tenants"\n    reload-mode "watch"\n}',
})

interface ClaimsHere {
  readonly scope: string
  readonly report: Report
  readonly textOnly: boolean
  where (name: 'sniCerts'): Position
}

/** One name, two certificates: which one a client gets would be chance. */
export function checkClaims (entries: readonly SniEntry[], folder: SniFolder | undefined, mayOverlap: boolean, here: ClaimsHere): void {
  const folderAt = here.where('sniCerts')
  const content = folder === undefined || here.textOnly ? { found: [], skipped: [] } : lookIntoFolder(folder.certFolder)
  for (const { file, reason } of content.skipped.slice(0, maxTold)) {
    here.report.warning('CONFIG_FILE', `'${file}' in the certificate folder of ${here.scope} is left out: ${skipReasons[reason]}`, folderAt)
  }
  if (mayOverlap) return
  const inFolder = content.found.map(({ file, names }): PlacedClaimant => ({ at: folderAt, priorityAt: folderAt, plain: names, priority: [], file }))
  for (const dispute of assignNames<PlacedClaimant>([...entries, ...inFolder]).disputes.slice(0, maxTold)) reportDispute(dispute, here)
}

function reportDispute ({ name, first, second, priority }: Dispute<PlacedClaimant>, { report, scope }: ClaimsHere): void {
  const files = first.file === undefined && second.file === undefined ? '' : `: ${first.file ?? ofTheFile} and ${second.file ?? ofTheFile}`
  report.add('error', 'CONFIG_CONTRADICTION', `two certificates of ${scope} claim '${name}'${files}`, priority ? second.priorityAt : second.at, {
    hint: 'leave it out of one, or write allow-sni-overlaps #true',
    related: { message: 'the other one is', position: priority ? first.priorityAt : first.at },
  })
}

/** Of thousands of files, nobody reads more. */
const maxTold = 20

const ofTheFile = 'one with hostnames'
