import { createSecureContext, type SecureContext } from 'node:tls'
import type { CertificatePair, TlsSettings } from './listener.ts'
import { pairOptions } from './tls-settings.ts'

/** What belongs to exactly this name, else to "*." and what follows its first label. */
export function findByName<T> (named: ReadonlyMap<string, T>, servername: string): T | undefined {
  const name = servername.toLowerCase().replace(/\.$/, '')
  const dot = name.indexOf('.')
  return named.get(name) ?? (dot > 0 ? named.get(`*${name.slice(dot)}`) : undefined)
}

/** Finds what a client that asks for a name is shown. */
export class SniContexts {
  readonly #named: ReadonlyMap<string, CertificatePair>
  readonly #ca: TlsSettings['ca']
  /** Made at the first handshake that needs one: half a millisecond and 30 KB each, and most of many names are asked for by nobody. */
  readonly #made: WeakMap<CertificatePair, SecureContext>

  /** @param before Those that are replaced: what was made for a pair that stays is used further. */
  constructor ({ named, ca }: TlsSettings, before?: SniContexts) {
    this.#named = named ?? new Map()
    this.#ca = ca
    this.#made = before !== undefined && isSame(before.#ca, ca) ? before.#made : new WeakMap()
  }

  /** `undefined` means the listener's own. */
  of (servername: string): SecureContext | undefined {
    if (this.#named.size === 0) return undefined
    const pair = findByName(this.#named, servername)
    if (pair === undefined) return undefined
    let context = this.#made.get(pair)
    if (context === undefined) {
      context = createSecureContext(pairOptions(pair, this.#ca))
      this.#made.set(pair, context)
    }
    return context
  }
}

function isSame (a: TlsSettings['ca'], b: TlsSettings['ca']): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.from(a).equals(Buffer.from(b)))
}
