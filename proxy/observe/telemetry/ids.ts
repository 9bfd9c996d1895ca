import { randomFillSync } from 'node:crypto'

/** Asking the system for random bytes costs more than using them. */
const pool = Buffer.allocUnsafeSlow(4096)
let used = pool.length

function randomHex (bytes: 8 | 16): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const text = pool.toString('hex', used, used + bytes)
  used += bytes
  // All zeros mean "none".
  return /^0+$/.test(text) ? randomHex(bytes) : text
}

export function newTraceId (): string {
  return randomHex(16)
}

export function newSpanId (): string {
  return randomHex(8)
}

/**
 * Whether a trace is among that share of all, by its id alone: everybody on its way who knows the share comes to the same answer. The last 56 bits of an id
 * are random (W3C Trace Context level 2, section 3.2.2.3.1), and compared as OpenTelemetry's consistent sampling compares them.
 */
export function samplerOf (share: number): (traceId: string) => boolean {
  if (share >= 1) return () => true
  if (share <= 0) return () => false
  // A number holds 52 of the 56 bits for sure: the others would change one decision in 10^15.
  const refused = (1 - share) * 2 ** 52
  return (traceId) => Number.parseInt(traceId.slice(18, 31), 16) >= refused
}
