import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'sentinel-authority-'))
after(() => rmSync(folder, { recursive: true, force: true }))

export interface KeyPair {
  readonly cert: Buffer
  readonly key: Buffer
}

export interface Authority extends KeyPair {
  /** A certificate of this authority for `name`. */
  readonly issue: (name: string) => KeyPair
}

let made = 0

/** An authority with openssl, made now: nothing that expires lies in the repository. */
export function authority (name: string): Authority {
  const base = openssl(name, ['-addext', 'basicConstraints=critical,CA:TRUE'])
  return {
    ...read(base),
    issue: (client) => read(openssl(client, ['-CA', `${base}.pem`, '-CAkey', `${base}.key`, '-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=DNS:${client}`])),
  }
}

function openssl (name: string, more: readonly string[]): string {
  const base = join(folder, String(++made))
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-keyout', `${base}.key`, '-out', `${base}.pem`, ...more,
  ], { stdio: 'ignore' })
  return base
}

function read (base: string): KeyPair {
  return { cert: readFileSync(`${base}.pem`), key: readFileSync(`${base}.key`) }
}

/** Paths of PEM files. */
export interface IssuedCertificate {
  readonly cert: string
  readonly key: string
}

export interface AuthorityFiles {
  /** Its own certificate. */
  readonly ca: string
  /** `names` as in "DNS:localhost,IP:127.0.0.1". */
  issue (name: string, names: string): IssuedCertificate
}

/** As `authority`, for whoever wants paths. */
export function makeAuthority (name: string): AuthorityFiles {
  const base = openssl(name, ['-addext', 'basicConstraints=critical,CA:TRUE'])
  return {
    ca: `${base}.pem`,
    issue (subject, names) {
      const issued = openssl(subject, ['-CA', `${base}.pem`, '-CAkey', `${base}.key`, '-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `subjectAltName=${names}`])
      return { cert: `${issued}.pem`, key: `${issued}.key` }
    },
  }
}
