import { createHash, type X509Certificate } from 'node:crypto'
import { contentOf, encode, inside, onlyElement, tags, type Element } from './der.ts'

/** A question about one certificate (RFC 6960 section 4.1), without a nonce: its answer may be kept and given to many. */
export interface Question {
  /** CertID as it stands in the question and must stand in the answer. */
  readonly id: Buffer
  readonly bytes: Buffer
}

const sha1 = Buffer.from('06052b0e03021a', 'hex')

/** SHA-1 only names the authority here, and is the one algorithm that every responder knows (RFC 5019 section 2.1.1). */
export function questionAbout (certificate: X509Certificate, issuer: X509Certificate): Question {
  const { serial, issuerName } = fieldsOf(certificate)
  const algorithm = encode(tags.sequence, sha1, encode(tags.null))
  const id = encode(tags.sequence, algorithm, encode(tags.octetString, hash(issuerName)), encode(tags.octetString, hash(keyOf(issuer))), serial)
  return { id, bytes: encode(tags.sequence, encode(tags.sequence, encode(tags.sequence, encode(tags.sequence, id)))) }
}

function fieldsOf ({ raw }: X509Certificate): { readonly serial: Buffer, readonly issuerName: Buffer, readonly keyInfo: Element | undefined } {
  const [signed] = inside(onlyElement(raw), tags.sequence)
  const fields = inside(signed, tags.sequence)
  // [0]: the version, which is there in all but certificates of the first one.
  const [serial, , issuer, , , keyInfo] = fields[0]?.tag === 0xa0 ? fields.slice(1) : fields
  contentOf(serial, tags.integer)
  contentOf(issuer, tags.sequence)
  return { serial: serial!.raw, issuerName: issuer!.raw, keyInfo }
}

/** The bits of the public key, without what says of which kind it is. */
function keyOf (certificate: X509Certificate): Buffer {
  const [, bits] = inside(fieldsOf(certificate).keyInfo, tags.sequence)
  return contentOf(bits, tags.bitString).subarray(1)
}

function hash (bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}
