import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib'
import { Fault } from './faults.ts'
import { listItems, type HeaderList } from './headers.ts'

export interface UnpackLimits {
  /** Largest result of each coding. */
  readonly maxBytes: number
  /** How many times larger than before; what stays below 64 KiB is never too much. */
  readonly maxRatio: number
}

/** Layers of `Content-Encoding`: nobody packs a body three times for a good reason. */
const maxCodings = 2
const alwaysAllowedBytes = 64 * 1024

type Unpack = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>

const gzip: Unpack = promisify<Buffer, ZlibOptions, Buffer>(gunzip)
const zlibFormat: Unpack = promisify<Buffer, ZlibOptions, Buffer>(inflate)
const bareDeflate: Unpack = promisify<Buffer, ZlibOptions, Buffer>(inflateRaw)
const brotli = promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress)

const unpackers: Readonly<Record<string, Unpack>> = {
  gzip,
  'x-gzip': gzip,
  // RFC 9110 section 8.4.1.2: zlib format, though many send the bare deflate format. zlib's first byte is 0x?8.
  deflate: (bytes, options) => (bytes[0]! & 0x0f) === 8 ? zlibFormat(bytes, options) : bareDeflate(bytes, options),
  br: (bytes, { maxOutputLength }) => brotli(bytes, { maxOutputLength: maxOutputLength! }),
}

/** Whether a message says that its body is packed. */
export function isPacked (headers: HeaderList): boolean {
  return codingsOf(headers).length > 0
}

function codingsOf (headers: HeaderList): string[] {
  return headers.has('content-encoding') ? listItems(headers.getAll('content-encoding').join(',')).filter((coding) => coding !== '' && coding !== 'identity') : []
}

/**
 * Undoes `Content-Encoding` from the last coding to the first, away from the event loop. Rejects with BODY_CODING_UNKNOWN, BODY_UNREADABLE, or
 * with BODY_EXPANDS as soon as a limit is reached: what a few kilobytes may turn into is never made.
 */
export async function unpacked (bytes: Buffer, headers: HeaderList, { maxBytes, maxRatio }: UnpackLimits): Promise<Buffer> {
  const codings = codingsOf(headers)
  if (codings.length > maxCodings) throw new Fault('BODY_CODING_UNKNOWN', `${codings.length} codings`)
  let current = bytes
  for (const coding of codings.reverse()) {
    const unpack = Object.hasOwn(unpackers, coding) ? unpackers[coding] : undefined
    if (unpack === undefined) throw new Fault('BODY_CODING_UNKNOWN')
    const maxOutputLength = Math.max(1, Math.min(maxBytes, Math.max(Math.floor(current.length * maxRatio), alwaysAllowedBytes)))
    current = current.length === 0 ? current : await unpack(current, { maxOutputLength }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ERR_BUFFER_TOO_LARGE' ? new Fault('BODY_EXPANDS', `more than ${maxOutputLength} bytes`) : new Fault('BODY_UNREADABLE', error.message, error)
    })
  }
  return current
}
