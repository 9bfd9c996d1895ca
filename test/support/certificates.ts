import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CertificateWishes {
  /** As OpenSSL writes it: "DNS:localhost,IP:127.0.0.1"; none for `null`. */
  readonly hosts?: string | null
  /** Days from now; in the past when negative. */
  readonly fromDay?: number
  readonly untilDay?: number
  /** Name of the certificate that issues it; itself when absent. */
  readonly issuer?: string
  readonly authority?: boolean
}

/** Makes `NAME.pem` and `NAME.key` in a folder, with the installed OpenSSL. */
export function makeCertificate (folder: string, name: string, { hosts = 'DNS:localhost,IP:127.0.0.1', fromDay = -40, untilDay = 365, issuer, authority = false }: CertificateWishes = {}): void {
  const work = join(folder, `${name}.ca`)
  mkdirSync(work)
  writeFileSync(join(work, 'index.txt'), '')
  writeFileSync(join(work, 'serial'), `${Math.floor(performance.now() * 1000).toString(16).padStart(16, '1')}\n`)
  writeFileSync(join(work, 'ca.cnf'), `[ca]\ndefault_ca=d\n[d]\ndatabase=${work}/index.txt\nnew_certs_dir=${work}\nserial=${work}/serial\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n`)
  const key = join(folder, `${name}.key`)
  const request = join(work, 'request')
  openssl([
    'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`, '-keyout', key, '-out', request,
    ...hosts === null ? [] : ['-addext', `subjectAltName=${hosts}`], ...authority ? ['-addext', 'basicConstraints=critical,CA:TRUE'] : [],
  ])
  openssl([
    'ca', '-batch', '-notext', '-config', join(work, 'ca.cnf'), '-in', request, '-out', join(folder, `${name}.pem`), '-startdate', dayFromNow(fromDay), '-enddate', dayFromNow(untilDay),
    ...issuer === undefined ? ['-selfsign', '-keyfile', key] : ['-cert', join(folder, `${issuer}.pem`), '-keyfile', join(folder, `${issuer}.key`)],
  ])
}

function openssl (args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'ignore'] })
}

function dayFromNow (days: number): string {
  return new Date(new Date().getTime() + days * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
}
