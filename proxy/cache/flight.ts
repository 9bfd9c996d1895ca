import type { Body } from '../pipeline/body.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import { Exchange, type Reply, type Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { canonicalName, HeaderList } from '../pipeline/headers.ts'
import { Arrival } from './arrival.ts'
import type { Cache } from './cache.ts'
import { isAbout } from './conditions.ts'
import { keptFields, selecting, tagsOf, updatedFields } from './fields.ts'
import { clientItself, notKeptKey, valuesOf } from './key.ts'
import { judge, type Judgement, type Refusal } from './policy.ts'
import type { RouteCacheSettings } from './settings.ts'
import type { Address, Kept, Selection, Stored } from './stored.ts'

/** What the head of an answer says about the others who wait for it. */
export type Landing =
  /** It is kept: whoever it is selected for reads it. `reader` is one more from the beginning, while there is one. */
  | { readonly as: 'kept', readonly stored: Stored, readonly reader: () => { readonly body: Body | undefined } | undefined }
  /** What was kept is right still. */
  | { readonly as: 'refreshed', readonly kept: Kept }
  /** It is the answer of the one who asked, and of nobody else. */
  | { readonly as: 'alone', readonly reply: Reply, readonly why: Refusal | 'size' }
  | { readonly as: 'fault', readonly fault: Fault }

export interface FlightPlan {
  readonly key: string
  readonly base: string
  readonly address: Address
  readonly query: string
  /** What is kept and outdated: it is asked whether it is right still. */
  readonly outdated: Kept | undefined
}

/** Fields with which a client asks for something else than the whole answer; it gets that out of what is kept. */
const ofOneClient = ['if-none-match', 'if-modified-since', 'range', 'if-range']

/** Fields that make some applications answer for another path, host or method than was asked for. They are part of no key, so nothing that is kept may hang on them. */
const misleading = new Set([
  'x-original-url', 'x-rewrite-url', 'x-original-host', 'x-host', 'x-forwarded-server', 'x-forwarded-scheme', 'x-forwarded-prefix', 'x-http-method',
  'x-http-method-override', 'x-method-override', 'x-forwarded-path', 'x-forwarded-uri', 'x-url-scheme', 'front-end-https',
])

/** One request to the upstream on behalf of all who want its answer. It is nobody's own: who asked first may leave. */
export class Flight {
  readonly key: string
  readonly address: Address
  /** Known when the head is there. */
  tags: readonly string[] | undefined = undefined
  readonly landed: Promise<Landing>
  readonly exchange: Exchange
  /** Others who wait for the head. */
  waiting = 0
  readonly #plan: FlightPlan
  readonly #cache: Cache
  readonly #settings: RouteCacheSettings
  #arrival: Arrival | undefined = undefined
  /** A purge has come since: what comes of it is not kept, and not for those who ask from now on. */
  isOutdated = false

  constructor (x: Exchange, plan: FlightPlan, cache: Cache, responder: Responder, settings: RouteCacheSettings) {
    this.key = plan.key
    this.address = plan.address
    this.#plan = plan
    this.#cache = cache
    this.#settings = settings
    this.exchange = exchangeFor(x, plan, settings)
    this.landed = this.#run(responder)
  }

  outdate (): void {
    this.isOutdated = true
    this.#arrival?.outdated()
  }

  /** Whoever asked first is gone, or takes the answer for itself. */
  end (reason: Fault): void {
    this.exchange.ending.end(reason)
  }

  async #run (responder: Responder): Promise<Landing> {
    const askedMs = Date.now()
    let landing: Landing
    try {
      const reply = await responder.respond(this.exchange)
      landing = this.#land(reply, askedMs)
    } catch (error) {
      landing = { as: 'fault', fault: Fault.from(error) }
    }
    const { flights } = this.#cache
    if (landing.as !== 'kept') flights.remove(this)
    return landing
  }

  #land (reply: Reply, askedMs: number): Landing {
    const { outdated, base } = this.#plan
    const { request } = this.exchange
    const times = { askedMs, arrivedMs: Date.now() }
    if (reply.status === 304 && outdated !== undefined) return this.#refresh(outdated, reply, times)
    const judgement = judge(request, reply.status, reply.headers, this.#settings, times)
    const { length } = reply.body ?? { length: 0 }
    const isTooLarge = length !== undefined && length > this.#settings.maxBytes
    if (typeof judgement === 'string' || isTooLarge) {
      this.#cache.tellKept(notKeptKey(base, request.headers), false)
      return { as: 'alone', reply, why: typeof judgement === 'string' ? judgement : 'size' }
    }
    this.#cache.tellKept(notKeptKey(base, request.headers), true)
    const stored = this.#storedOf(reply.status, keptFields(reply.headers), judgement)
    this.tags = stored.tags
    return this.#gather(stored, reply.body)
  }

  #gather (stored: Stored, body: Body | undefined): Landing {
    const cache = this.#cache
    const arrival = this.#arrival = new Arrival({
      body,
      maxBytes: this.#settings.maxBytes,
      room: cache.room,
      patienceMs: this.#settings.lockTimeoutMs,
      complete: (whole) => {
        if (this.isOutdated) return
        cache.stores++
        void cache.put(() => cache.store.put({ ...stored, length: whole.length }, whole))
      },
      over: () => cache.flights.remove(this),
    })
    arrival.lonely()
    const reader = (): { readonly body: Body | undefined } | undefined => {
      if (body === undefined) return { body: undefined }
      const own = arrival.reader()
      return own === undefined ? undefined : { body: own }
    }
    return { as: 'kept', stored, reader }
  }

  /** RFC 9111 section 4.3.4. */
  #refresh (outdated: Kept, reply: Reply, times: { readonly askedMs: number, readonly arrivedMs: number }): Landing {
    reply.body?.cancel()
    const { stored } = outdated
    // It was asked about this one answer, which it says is right; what it says of another does not change this one.
    if (!isAbout(reply.headers, stored)) return { as: 'refreshed', kept: outdated }
    const fields = updatedFields(stored.fields, reply.headers)
    const headers = new HeaderList([...fields])
    const age = reply.headers.get('age')
    if (age !== undefined) headers.append('Age', age)
    const judgement = judge(this.exchange.request, stored.status, headers, this.#settings, times)
    const kept: Kept = typeof judgement === 'string' ? outdated : { ...openable(outdated), stored: this.#storedOf(stored.status, fields, judgement, stored) }
    if (!this.isOutdated) {
      const { store } = this.#cache
      const { address } = stored
      void this.#cache.put(async () => {
        if (typeof judgement === 'string') await store.purge((other) => isSame(other, address), address.path)
        else await store.refresh(outdated, kept.stored)
      })
    }
    return { as: 'refreshed', kept }
  }

  #storedOf (status: number, fields: readonly string[], { freshness, isPrivate }: Judgement, before?: Stored): Stored {
    const headers = new HeaderList([...fields])
    const valueOf = valuesOf(this.exchange)
    const names = selecting(headers)
    if (isPrivate) names.push('authorization', 'cookie', clientItself)
    const selection: Selection = before?.selection ?? names.map((name) => [name, valueOf(name)] as const)
    return {
      base: this.#plan.base, address: this.address, selection, tags: tagsOf(headers), status, fields, freshness,
      etag: headers.get('etag'), lastModified: headers.get('last-modified'), length: before?.length ?? 0,
    }
  }
}

function isSame (a: Address, b: Address): boolean {
  return a.host === b.host && a.path === b.path && a.query === b.query
}

function openable (kept: Kept): Pick<Kept, 'from' | 'open'> {
  return { from: kept.from, open: (start, end) => kept.open(start, end) }
}

/** An exchange of its own with what is asked of the upstream. */
function exchangeFor (x: Exchange, { query, outdated }: FlightPlan, { varyHeaders }: RouteCacheSettings): Exchange {
  const headers = x.request.headers.clone()
  for (const name of ofOneClient) headers.remove(name)
  headers.removeIf((name) => misleading.has(canonicalName(name)) && !varyHeaders.includes(name.toLowerCase()))
  if (outdated !== undefined) {
    const { etag, lastModified } = outdated.stored
    if (etag !== undefined) headers.set('If-None-Match', etag)
    if (lastModified !== undefined) headers.set('If-Modified-Since', lastModified)
  }
  const { id, startedMs, listener, peer, request } = x
  const head = { ...request, query, headers }
  const own = new Exchange({ id, startedMs, listener, peer, request: head, requestBody: undefined, ending: new EndSignal() })
  own.clientIp = x.clientIp
  own.clientPort = x.clientPort
  own.route = x.route
  own.interim = (status, fields) => x.interim?.(status, fields)
  return own
}
