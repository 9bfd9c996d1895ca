import type { FieldLines } from '../../proto/codec/index.ts'
import type { TlsFacts } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { fieldTest } from './names.ts'

/** What an operator lets an agent see: the `see` block. */
export interface SightSettings {
  /** Empty: all. */
  readonly headers: readonly string[]
  readonly hide: readonly string[]
  readonly query: boolean
  readonly bodies: boolean
  readonly clientCertificate: boolean
}

/** The same as questions. Where nothing is hidden there is none, and nothing is asked. */
export interface Sight {
  readonly field: (name: string) => boolean
  readonly query: boolean
  readonly bodies: boolean
  readonly clientCertificate: boolean
}

export function sightOf ({ headers, hide, query, bodies, clientCertificate }: SightSettings): Sight {
  const shown = headers.length === 0 ? () => true : fieldTest(headers)
  const hidden = fieldTest(hide)
  return { field: (name) => shown(name) && !hidden(name), query, bodies, clientCertificate }
}

/** Field lines as flat pairs, without those that are hidden. They stay as they are, whatever becomes of the list. */
export function seenLines (headers: HeaderList, sight: Sight | undefined): FieldLines {
  if (sight === undefined) return headers.frozen()
  const lines = headers.raw()
  const seen: string[] = []
  for (let i = 0; i < lines.length; i += 2) {
    // Flat pairs: both exist.
    if (sight.field(lines[i]!)) seen.push(lines[i]!, lines[i + 1]!)
  }
  return seen
}

export function seenTls (tls: TlsFacts | undefined, sight: Sight | undefined): TlsFacts | undefined {
  if (tls === undefined || sight === undefined || sight.clientCertificate) return tls
  return { ...tls, clientSubject: '', clientSans: [], clientFingerprint: '' }
}
