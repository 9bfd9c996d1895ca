import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface Responder {
  readonly folder: string
  readonly url: string
  /** Requests so far. */
  asked: number
  /** How the next answers are made. */
  answer: 'good' | 'revoked' | 'unknown'
  signer: 'authority' | 'delegate' | 'stranger'
  /** What is done with the bytes before they are sent. */
  send: (bytes: Buffer, response: ServerResponse) => void
  /** Answers are good for so many minutes. */
  minutes: number
  /** A certificate of the authority, with the authority behind it in the file; paths. */
  issue (name: string, options?: { readonly mustStaple?: boolean, readonly alone?: boolean }): { readonly cert: string, readonly key: string }
  /** What OpenSSL answers to this question now. */
  answerTo (question: Buffer): Buffer
}

/** An authority and its OCSP responder: HTTP on loopback, the answers made and signed by OpenSSL. */
export async function startResponder (t: TestContext): Promise<Responder> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-ocsp-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
  const request = (name: string, ...more: readonly string[]): void => openssl(
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`,
    '-keyout', `${name}.key`, '-out', `${name}.pem`, ...more,
  )
  request('authority', '-addext', 'basicConstraints=critical,CA:TRUE')
  request('stranger', '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'extendedKeyUsage=OCSPSigning')
  const issued = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-addext', 'basicConstraints=critical,CA:FALSE']
  request('delegate', ...issued, '-addext', 'extendedKeyUsage=OCSPSigning')

  const serials: string[] = []
  const server = createServer((message, response) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => {
      responder.asked++
      responder.send(responder.answerTo(Buffer.concat(chunks)), response)
    })
  })
  await new Promise<void>((go) => { server.listen(0, '127.0.0.1', go) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/status`

  const responder: Responder = {
    folder, url, asked: 0, answer: 'good', signer: 'authority', minutes: 60,
    send: (bytes, response) => { response.writeHead(200, { 'content-type': 'application/ocsp-response' }).end(bytes) },
    issue (name, { mustStaple = false, alone = false } = {}) {
      request(name, ...issued, '-addext', `subjectAltName=DNS:${name}.test`, '-addext', `authorityInfoAccess=OCSP;URI:${url}`, ...mustStaple ? ['-addext', 'tlsfeature=status_request'] : [])
      const own = readFileSync(join(folder, `${name}.pem`), 'latin1')
      serials.push(new X509Certificate(own).serialNumber)
      if (!alone) writeFileSync(join(folder, `${name}.pem`), own + readFileSync(join(folder, 'authority.pem'), 'latin1'))
      return { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
    },
    answerTo (question) {
      const state = responder.answer === 'revoked' ? 'R\t351231235959Z\t250101000000Z' : 'V\t351231235959Z\t'
      writeFileSync(join(folder, 'index.txt'), responder.answer === 'unknown' ? '' : serials.map((serial) => `${state}\t${serial}\tunknown\t/CN=${serial}\n`).join(''))
      writeFileSync(join(folder, 'question'), question)
      openssl('ocsp', '-index', 'index.txt', '-CA', 'authority.pem', '-rsigner', `${responder.signer}.pem`, '-rkey', `${responder.signer}.key`,
        '-reqin', 'question', '-respout', 'answer', '-nmin', String(responder.minutes))
      return readFileSync(join(folder, 'answer'))
    },
  }
  return responder
}
