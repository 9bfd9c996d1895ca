import { randomFillSync, randomUUID } from 'node:crypto'

export type RequestIdForm = 'tinyflake' | 'uuid'

const idBytes = 16
const pool = Buffer.allocUnsafe(idBytes * 256)
let used = pool.length

/** The id of a new request: in the process's form, all listeners alike. */
export function newRequestId (): string {
  return make()
}

/** `undefined`: 128 random bits in 22 URL-safe characters. */
export function setRequestIdForm (form: RequestIdForm | undefined): void {
  make = form === undefined ? ownForm : form === 'uuid' ? randomUUID : tinyflake
}

/** Random bytes are fetched 256 ids at a time: a system call for each one would show. */
function ownForm (): string {
  const at = nextBytes()
  return pool.toString('base64url', at, at + idBytes)
}

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Seconds in three digits, which begin anew after 2.7 days, and eight random ones: ids of one time sort together. */
function tinyflake (): string {
  const seconds = Math.floor((performance.timeOrigin + performance.now()) / 1000)
  let id = digits[Math.floor(seconds / 3844) % 62]! + digits[Math.floor(seconds / 62) % 62]! + digits[seconds % 62]!
  const at = nextBytes()
  // 16 bits for each digit: what is left over of 62 favours none by more than a thousandth.
  for (let i = 0; i < 8; i++) id += digits[pool.readUInt16LE(at + i * 2) % 62]!
  return id
}

function nextBytes (): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += idBytes
  return used - idBytes
}

let make: () => string = ownForm
