import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeCertificate } from '../support/certificates.ts'
import type { Certificate } from './contenders/contender.ts'

/** One for 127.0.0.1, in every form that contenders read. */
export function serverCertificate (folder: string): Certificate {
  makeCertificate(folder, 'server')
  const [cert, key, both] = ['server.pem', 'server.key', 'server.both.pem'].map((name) => join(folder, name)) as [string, string, string]
  writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  return { cert, key, both }
}
