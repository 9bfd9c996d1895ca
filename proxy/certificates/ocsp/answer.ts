import { verify, X509Certificate, type KeyObject } from 'node:crypto'
import { contentOf, inside, NotDer, onlyElement, tags, type Element } from './der.ts'

/** What an authority says about one certificate, its signature checked. */
export interface Answer {
  readonly status: 'good' | 'revoked' | 'unknown'
  /** Unix time in milliseconds. */
  readonly thisUpdate: number
  /** When it counts no longer; `undefined` when there is newer word at any time. */
  readonly nextUpdate: number | undefined
}

export interface Asked {
  /** CertID of the question. */
  readonly id: Buffer
  readonly issuer: X509Certificate
  /** Unix time in milliseconds. */
  readonly now: number
}

export class BadAnswer extends Error {}

const basicAnswer = '2b0601050507300101'
const mayAnswer = '1.3.6.1.5.5.7.3.9'
/** Clocks differ. */
const skewMs = 5 * 60_000
const maxCertificates = 8

const refusals = ['', 'the question was not understood', 'an internal error', 'try later', '', 'a signed question is wanted', 'it does not answer us']

/** Names of the hash; `null` where the key implies it. SHA-1 is no signature any more. */
const algorithms: Readonly<Record<string, string | null>> = {
  '2a864886f70d01010b': 'sha256', '2a864886f70d01010c': 'sha384', '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256', '2a8648ce3d040303': 'sha384', '2a8648ce3d040304': 'sha512',
  '2b6570': null, '2b6571': null,
}

/** Reads an answer (RFC 6960 section 4.2) and believes nothing of it that its signature does not cover. Throws `BadAnswer`. */
export function readAnswer (bytes: Buffer, asked: Asked): Answer {
  try {
    return believed(bytes, asked)
  } catch (error) {
    if (error instanceof BadAnswer) throw error
    throw new BadAnswer(error instanceof NotDer ? `it is no answer: ${error.message}` : 'it is no answer')
  }
}

function believed (bytes: Buffer, asked: Asked): Answer {
  const [status, content] = inside(onlyElement(bytes), tags.sequence)
  const [code] = contentOf(status, tags.enumerated)
  if (code !== 0) throw new BadAnswer(`the responder says: ${refusals[code ?? 0] || `status ${code}`}`)
  const [type, basic] = inside(inside(content, 0xa0)[0], tags.sequence)
  if (contentOf(type, tags.oid).toString('hex') !== basicAnswer) throw new BadAnswer('an answer of an unknown kind')
  const [signed, algorithm, signature, extra] = inside(onlyElement(contentOf(basic, tags.octetString)), tags.sequence)
  if (signed === undefined) throw new BadAnswer('it is empty')
  checkSignature(signed.raw, algorithm, signature, signersIn(extra, asked))
  return answerAbout(signed, asked)
}

/** The issuer itself, and those who show that it lets them answer. */
function signersIn (extra: Element | undefined, { issuer, now }: Asked): KeyObject[] {
  const certificates = extra === undefined ? [] : inside(inside(extra, 0xa0)[0], tags.sequence)
  const signers = [issuer.publicKey]
  for (const { raw } of certificates.slice(0, maxCertificates)) {
    const certificate = new X509Certificate(raw)
    const isGood = new Date(certificate.validFrom).getTime() <= now + skewMs && new Date(certificate.validTo).getTime() >= now
    if (!isGood || !certificate.keyUsage?.includes(mayAnswer)) continue
    if (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) signers.push(certificate.publicKey)
  }
  return signers
}

function checkSignature (signed: Buffer, algorithm: Element | undefined, signature: Element | undefined, signers: readonly KeyObject[]): void {
  const name = contentOf(inside(algorithm, tags.sequence)[0], tags.oid).toString('hex')
  const hash = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined
  if (hash === undefined) throw new BadAnswer('it is signed in a way that is not trusted')
  const bits = contentOf(signature, tags.bitString).subarray(1)
  if (!signers.some((signer) => holds(hash, signed, signer, bits))) throw new BadAnswer('its signature is not that of the authority')
}

/** A key of another kind than the signature throws. */
function holds (hash: string | null, signed: Buffer, signer: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, signed, signer, signature)
  } catch {
    return false
  }
}

function answerAbout (signed: Element, { id, now }: Asked): Answer {
  const fields = inside(signed, tags.sequence)
  const [, , list] = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields
  for (const single of inside(list, tags.sequence)) {
    const [name, status, since, ...more] = inside(single, tags.sequence)
    if (name === undefined || !isSameId(name, id)) continue
    const until = more.find(({ tag }) => tag === 0xa0)
    const answer = { status: statusOf(status), thisUpdate: timeOf(since), nextUpdate: until === undefined ? undefined : timeOf(inside(until, 0xa0)[0]) }
    if (answer.thisUpdate > now + skewMs) throw new BadAnswer('it is from the future')
    if (answer.nextUpdate !== undefined && answer.nextUpdate <= now) throw new BadAnswer('it is out of date')
    return answer
  }
  throw new BadAnswer('it is about another certificate')
}

/** Some leave out the NULL of the hash's parameters: the parts are compared. */
function isSameId (name: Element, id: Buffer): boolean {
  const [algorithm, ...rest] = inside(name, tags.sequence)
  const [ours, ...wanted] = inside(onlyElement(id), tags.sequence)
  const hash = inside(algorithm, tags.sequence)[0]
  const ourHash = inside(ours, tags.sequence)[0]
  return hash?.raw.equals(ourHash!.raw) === true && rest.length === wanted.length && rest.every(({ raw }, i) => raw.equals(wanted[i]!.raw))
}

function statusOf (status: Element | undefined): Answer['status'] {
  switch (status?.tag) {
    case 0x80: return 'good'
    case 0xa1: return 'revoked'
    case 0x82: return 'unknown'
    default: throw new BadAnswer('a status that is none')
  }
}

function timeOf (element: Element | undefined): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(contentOf(element, tags.time).toString('latin1')) ?? []
  if (year === undefined) throw new BadAnswer('a time that is none')
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
}
