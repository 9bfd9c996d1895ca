import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** Paths of PEM files. */
export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
}

export interface Authority {
  /** Its own certificate. */
  readonly ca: string
  /** `names` as in "DNS:localhost,IP:127.0.0.1". */
  issue (name: string, names: string): IssuedCertificate
}

/** An authority made now, with files that go when the tests of the file are over: nothing that expires lies in the repository. */
export function makeAuthority (name: string): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-ca-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const at = (file: string): string => join(folder, file)
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, { stdio: 'ignore' }) }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', at('ca.key'), '-out', at('ca.pem'))
  return {
    ca: at('ca.pem'),
    issue (subject, names) {
      const [cert, key, asked, extras] = [at(`${subject}.pem`), at(`${subject}.key`), at(`${subject}.csr`), at(`${subject}.ext`)]
      openssl('req', ...newKey, '-subj', `/CN=${subject}`, '-keyout', key, '-out', asked)
      writeFileSync(extras, `subjectAltName=${names}\n`)
      openssl('x509', '-req', '-in', asked, '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', extras, '-out', cert)
      return { cert, key }
    },
  }
}
