import { LRUCache } from 'lru-cache'
import type { Responder } from '../pipeline/exchange.ts'
import type { KeptAnswers, KeptFacts, Purge, PurgeOutcome } from '../pipeline/kept-answers.ts'
import type { MaybePromise } from '../pipeline/body.ts'
import { ArrivalRoom } from './arrival.ts'
import { Flights } from './flights.ts'
import { meaningOf } from './purge.ts'
import { CachingResponder } from './responder.ts'
import type { RouteCacheSettings } from './settings.ts'
import type { Store } from './store.ts'

/** Requests that were asked for without being kept, or whose answers cannot be. */
const mostRemembered = 16 * 1024

/** How long it is remembered that answers to a request are not kept, so that nobody waits for them. */
const notKeptMs = 30_000

/** The answers that the routes of this process keep. Outlives configurations that say the same of the place where they are. */
export class Cache implements KeptAnswers {
  readonly store: Store
  readonly room: ArrivalRoom
  readonly flights = new Flights()
  readonly #notKept = new LRUCache<string, true>({ max: mostRemembered, ttl: notKeptMs })
  readonly #uses = new LRUCache<string, number>({ max: mostRemembered })
  #putting = 0
  hits = 0
  misses = 0
  stores = 0

  constructor (store: Store, maxArrivingBytes: number) {
    this.store = store
    this.room = new ArrivalRoom(maxArrivingBytes)
  }

  /** What answers for a route, with answers that are kept before it. `all`: the answers that all processes keep. */
  before (responder: Responder, settings: RouteCacheSettings, all: KeptAnswers): Responder {
    return new CachingResponder(this, responder, settings, all)
  }

  async purge (what: Purge): Promise<PurgeOutcome> {
    const meaning = meaningOf(what)
    if (meaning === undefined) return { purged: 0 }
    // Those that are on their way are of before the purge as well.
    this.flights.outdate(meaning.isMeant, what.by === 'tag')
    return { purged: await this.store.purge(meaning.isMeant, meaning.path) }
  }

  facts (): Promise<KeptFacts> {
    return Promise.resolve(this.counts)
  }

  get counts (): KeptFacts {
    const { hits, misses, stores, store } = this
    return { hits, misses, stores, evictions: store.evictions, ...store.places }
  }

  /** Something of the store is changed. */
  async put (work: () => MaybePromise<void>): Promise<void> {
    this.#putting++
    try {
      await work()
    } finally {
      this.#putting--
    }
  }

  /** Something is fetched, or put in its place. */
  get isBusy (): boolean {
    return this.#putting > 0 || this.flights.size > 0
  }

  isNotKept (key: string): boolean {
    return this.#notKept.has(key)
  }

  tellKept (key: string, kept: boolean): void {
    if (kept) this.#notKept.delete(key)
    else this.#notKept.set(key, true)
  }

  /** Whether it has been asked for often enough by now. */
  isWanted (key: string, minUses: number): boolean {
    if (minUses <= 1) return true
    const uses = (this.#uses.get(key) ?? 0) + 1
    this.#uses.set(key, uses)
    return uses >= minUses
  }

  close (): Promise<void> {
    return this.store.close()
  }
}
