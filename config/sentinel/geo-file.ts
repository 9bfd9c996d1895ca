import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { extname } from 'node:path'

export type GeoForm = 'maxmind' | 'ip2location'

const forms: Readonly<Record<string, GeoForm>> = { '.mmdb': 'maxmind', '.bin': 'ip2location' }

/** `undefined`: its name does not say. */
export function geoFormOf (file: string, written: GeoForm | undefined): GeoForm | undefined {
  return written ?? forms[extname(file).toLowerCase()]
}

/** The metadata of MaxMind's form stands behind this, within so many bytes of the end. */
const marker = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
const metadataBytes = 128 * 1024
const headerBytes = 64

/** Why a file is no database of its form, as far as its first and last bytes tell. */
export function geoFileProblem (file: string, form: GeoForm): string | undefined {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    return `it cannot be read: ${error instanceof Error ? error.message.split(',', 1)[0] : ''}`
  }
  try {
    const { size } = fstatSync(descriptor)
    const head = part(descriptor, 0, headerBytes)
    if (head.subarray(0, 2).toString('latin1') === 'PK' || head.readUInt16BE(0) === 0x1f8b) return 'it is packed: unpack it first'
    if (form === 'maxmind') return part(descriptor, Math.max(0, size - metadataBytes), metadataBytes).includes(marker) ? undefined : 'it is no MaxMind database'
    // Type, columns, and since 2021 what it is a database of.
    const [type = 0, columns = 0, year = 0] = head
    return type >= 1 && type <= 26 && columns >= 2 && (year < 21 || head[29] === 1) ? undefined : 'it is no IP2Location database'
  } finally {
    closeSync(descriptor)
  }
}

function part (descriptor: number, at: number, most: number): Buffer {
  const bytes = Buffer.alloc(most)
  readSync(descriptor, bytes, 0, most, at)
  return bytes
}
