import { createHmac, timingSafeEqual } from 'node:crypto'
import { cookieOf } from '../pipeline/cookies.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { BalancerName } from './balancers/index.ts'
import type { Target } from './target.ts'

export interface StickySettings {
  readonly cookieName: string
  readonly ttlMs: number
  readonly path: string
  readonly secure: boolean
  readonly sameSite: 'lax' | 'strict' | 'none'
  /** What cookies are signed with: whoever has the same one understands them. */
  readonly secret: string
  /** Who picks where there is no session. */
  readonly fallback: BalancerName
}

export interface Session {
  readonly target: Target
  /** Its cookie will not end soon. */
  readonly fresh: boolean
}

const idBytes = 8
const secondBytes = 4
const signatureBytes = 16
const valueLength = Math.ceil((idBytes + secondBytes + signatureBytes) * 4 / 3)

/**
 * Which target a client's session is with, told by a cookie: the target's id, the second it was made, and a signature over both. An id is made from the target's
 * name with the secret, so that it says nothing about the address to who has not the secret, and the same to all proxies that have it. A cookie is renewed
 * when half of its time is over.
 */
export class Sessions {
  readonly #upstream: string
  readonly #settings: StickySettings
  readonly #attributes: string
  readonly #nowMs: () => number
  readonly #ids = new Map<string, Buffer>()
  #known: readonly Target[] = []
  #byId = new Map<string, Target>()

  /** `nowMs`: time of day, which is the same for all proxies. */
  constructor (upstream: string, settings: StickySettings, nowMs: () => number = Date.now) {
    const { ttlMs, path, secure, sameSite } = settings
    this.#upstream = upstream
    this.#settings = settings
    this.#nowMs = nowMs
    const site = sameSite[0]!.toUpperCase() + sameSite.slice(1)
    this.#attributes = `; Path=${path}; Max-Age=${Math.ceil(ttlMs / 1000)}; HttpOnly${secure ? '; Secure' : ''}; SameSite=${site}`
  }

  /** `undefined` when there is none, it is too old, or its target is not among these. */
  of (x: Exchange, targets: readonly Target[]): Session | undefined {
    const value = cookieOf(x.request.headers, this.#settings.cookieName)
    if (value === undefined || value.length !== valueLength) return undefined
    const bytes = Buffer.from(value, 'base64url')
    if (bytes.length !== idBytes + secondBytes + signatureBytes) return undefined
    const said = bytes.subarray(0, idBytes + secondBytes)
    if (!timingSafeEqual(bytes.subarray(said.length), this.#signature(said))) return undefined
    const ageMs = this.#nowMs() - bytes.readUInt32BE(idBytes) * 1_000
    const target = this.#targetOf(bytes.toString('latin1', 0, idBytes), targets)
    if (target === undefined || ageMs > this.#settings.ttlMs + 1_000) return undefined
    return { target, fresh: ageMs < this.#settings.ttlMs / 2 }
  }

  /** Field value of `Set-Cookie`. */
  cookieFor (target: string): string {
    const said = Buffer.alloc(idBytes + secondBytes)
    this.#idOf(target).copy(said)
    said.writeUInt32BE(Math.floor(this.#nowMs() / 1_000), idBytes)
    const value = Buffer.concat([said, this.#signature(said)]).toString('base64url')
    return `${this.#settings.cookieName}=${value}${this.#attributes}`
  }

  #targetOf (id: string, targets: readonly Target[]): Target | undefined {
    if (targets !== this.#known) {
      this.#known = targets
      this.#byId = new Map(targets.map((target) => [this.#idOf(target.name).toString('latin1'), target]))
      for (const name of this.#ids.keys()) if (!targets.some((target) => target.name === name)) this.#ids.delete(name)
    }
    return this.#byId.get(id)
  }

  #idOf (target: string): Buffer {
    let id = this.#ids.get(target)
    if (id === undefined) this.#ids.set(target, id = this.#hmac('target').update(target).digest().subarray(0, idBytes))
    return id
  }

  #signature (said: Buffer): Buffer {
    return this.#hmac('cookie').update(said).digest().subarray(0, signatureBytes)
  }

  /** For one purpose and one upstream: nothing that is signed here means anything elsewhere. */
  #hmac (purpose: string): ReturnType<typeof createHmac> {
    return createHmac('sha256', this.#settings.secret).update(`${purpose}\0${this.#upstream}\0`)
  }
}
