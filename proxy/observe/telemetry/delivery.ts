import { readFile } from 'node:fs/promises'
import { decode, type Reader } from '../../../proto/codec/index.ts'

/** How one delivery to a collector ended. */
export type Outcome =
  | { readonly kind: 'taken', /** What it did not want of it, and why. */ readonly rejected: number, readonly why: string }
  /** It may be taken another time, not before `afterMs` where the collector said so. */
  | { readonly kind: 'later', readonly why: string, readonly afterMs: number | undefined }
  | { readonly kind: 'refused', readonly why: string }

/** A way to a collector. */
export interface Carrier {
  /** Never rejects. */
  send (body: Buffer, signal: AbortSignal): Promise<Outcome>
  close (): void
}

export interface CollectorSettings {
  /** An http or https URL. */
  readonly endpoint: string
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  /** Read anew for each delivery: tokens are renewed. */
  readonly tokenFile: string | undefined
}

export type Signal = 'traces' | 'metrics'

/** Fields that go with each delivery. Rejects when the token cannot be read. */
export async function fieldsOf ({ headers, tokenFile }: CollectorSettings): Promise<Record<string, string>> {
  const fields: Record<string, string> = { 'user-agent': 'sentinel-otlp' }
  for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value
  if (tokenFile === undefined) return fields
  const token = (await readFile(tokenFile, 'latin1')).trim()
  if (!/^[\x21-\x7e]{1,8192}$/.test(token)) throw new Error('the token file holds no token')
  return { ...fields, authorization: `Bearer ${token}` }
}

/** `ExportTraceServiceResponse { partial_success = 1 { rejected = 1; error_message = 2 } }`; the one of metrics has the same numbers. */
export function takenWith (body: Buffer): Outcome {
  try {
    return decode(readResponse, body)
  } catch {
    // It was taken all the same; what it says about that is its own matter.
    return { kind: 'taken', rejected: 0, why: '' }
  }
}

function readResponse (r: Reader, until: number): Outcome {
  let rejected = 0
  let why = ''
  while (r.pos < until) {
    const tag = r.uint32()
    if (tag !== 10) {
      r.skip(tag)
      continue
    }
    const end = r.open(until)
    while (r.pos < end) {
      const field = r.uint32()
      if (field === 8) rejected = r.uint64()
      else if (field === 18) why = r.string().slice(0, 500)
      else r.skip(field)
    }
    r.close(end)
  }
  r.close(until)
  return { kind: 'taken', rejected, why }
}

/** `Retry-After` (RFC 9110 section 10.2.3), at most an hour. */
export function retryAfterMs (value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), 3_600_000) : undefined
}
