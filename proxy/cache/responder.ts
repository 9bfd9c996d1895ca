import type { MaybePromise } from '../pipeline/body.ts'
import type { EndListener } from '../pipeline/end-signal.ts'
import type { Exchange, Reply, Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { Cache } from './cache.ts'
import { tell, type Outcome } from './cache-status.ts'
import { exclusion } from './exclusion.ts'
import { Flight, type Landing } from './flight.ts'
import { give, pass } from './give.ts'
import { invalidated, isSafe } from './invalidation.ts'
import { addressOf, keyReader, notKeptKey, valuesOf, type KeyReader } from './key.ts'
import type { RouteCacheSettings } from './settings.ts'
import { isSelected, type Kept } from './stored.ts'
import { servesErrors, useOf } from './use.ts'
import { wishesOf, type Wishes } from './wishes.ts'

/** What is known of one request that may be answered from what is kept. */
interface Question {
  readonly x: Exchange
  readonly wishes: Wishes
  readonly query: string
  readonly base: string
}

/** Conditions that only the upstream can judge (RFC 9111 section 4.3.2). */
const forUpstream = ['if-match', 'if-unmodified-since']

/** A worker that does not answer, or a disk that is slow, does not keep a client waiting for longer. */
const mostPurgeMs = 1_000

const errorStatuses = new Set([500, 502, 503, 504])

/** Answers from what is kept, and keeps what it answers otherwise. Filters and agents have been asked by then, as for any other answer. */
export class CachingResponder implements Responder {
  readonly name: string
  readonly #cache: Cache
  readonly #behind: Responder
  readonly #settings: RouteCacheSettings
  readonly #all: KeptAnswers
  readonly #keys: KeyReader
  readonly #isExcluded: (path: string) => boolean

  constructor (cache: Cache, behind: Responder, settings: RouteCacheSettings, all: KeptAnswers) {
    this.name = behind.name
    this.#cache = cache
    this.#behind = behind
    this.#settings = settings
    this.#all = all
    this.#keys = keyReader(settings, behind.name)
    this.#isExcluded = exclusion(settings)
  }

  respond (x: Exchange): MaybePromise<Reply> {
    const { request } = x
    if (x.upgrade !== undefined) return this.#behind.respond(x)
    if (!isSafe(request.method)) return this.#change(x)
    const why = this.#bypass(x)
    if (why !== undefined) return this.#pass(x, why)
    const query = this.#keys.query(request.query)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const question: Question = { x, query, wishes: wishesOf(request.headers), base: this.#keys.base(x, method, query) }
    const found = this.#cache.store.find(question.base, valuesOf(x))
    return found instanceof Promise ? found.then((kept) => this.#answer(question, kept)) : this.#answer(question, found)
  }

  async #pass (x: Exchange, why: 'bypass' | 'method'): Promise<Reply> {
    return this.#tell(x, await this.#behind.respond(x), { as: 'bypass', fwd: why })
  }

  /** A body of a request that should have none may say what the upstream answers, and is in no key. */
  #bypass ({ request, requestBody }: Exchange): 'bypass' | 'method' | undefined {
    if (!this.#settings.methods.has(request.method)) return 'method'
    if (requestBody !== undefined || request.upstreamPath === '*' || this.#isExcluded(request.path)) return 'bypass'
    return forUpstream.some((name) => request.headers.has(name)) ? 'bypass' : undefined
  }

  /** RFC 9111 section 4.4: what was changed is not what is kept. */
  async #change (x: Exchange): Promise<Reply> {
    const reply = await this.#behind.respond(x)
    if (reply.status >= 200 && reply.status < 400) {
      // Everywhere before the client hears that it is done: it may ask any worker for what it changed.
      await within(mostPurgeMs, Promise.all(invalidated(x, reply.headers).map((what) => this.#all.purge(what).catch(() => {}))))
    }
    return this.#tell(x, reply, { as: 'bypass', fwd: 'method' })
  }

  #answer (question: Question, kept: Kept | undefined): Promise<Reply> {
    const { x, wishes } = question
    if (kept === undefined) return this.#fetch(question, undefined)
    const nowMs = Date.now()
    const use = useOf(kept.stored.freshness, wishes, nowMs)
    if (use === 'ask') return this.#fetch(question, kept)
    if (use === 'background') this.#refresh(question, kept)
    return this.#give(x, kept, nowMs, use === 'fresh' ? { as: 'hit' } : { as: 'stale' })
  }

  /** What was found may be gone by now: another answer has taken its place, or there had to be room. Then it is looked for anew. */
  async #give (x: Exchange, kept: Kept, nowMs: number, outcome: Outcome): Promise<Reply> {
    const reply = give(x, kept, nowMs)
    if (reply.body?.isThere !== undefined && !await reply.body.isThere) return this.respond(x)
    this.#cache.hits++
    const { freshMs, arrivedMs, ageMs } = kept.stored.freshness
    return this.#tell(x, reply, { ...outcome, ttlMs: freshMs - ageMs - (nowMs - arrivedMs) })
  }

  /** Fetches a new answer while the old one is given. Nobody waits for it, and nobody hears when it fails. */
  #refresh (question: Question, kept: Kept): void {
    const key = this.#flightKey(question)
    if (this.#cache.flights.of(key) !== undefined) return
    const flight = this.#fly(question, kept, key, true)
    void flight.landed.then((landing) => {
      if (landing.as !== 'alone') return
      landing.reply.body?.cancel()
      flight.end(new Fault('CLIENT_GONE', 'nobody waits for it'))
    })
  }

  /** An answer has to come from the upstream: this request fetches it, or waits for another that does. */
  async #fetch (question: Question, outdated: Kept | undefined): Promise<Reply> {
    const { x, wishes } = question
    if (wishes.onlyIfCached) throw new Fault('NOT_KEPT')
    this.#cache.misses++
    const fwd = outdated === undefined ? 'uri-miss' : wishes.noCache ? 'request' : 'stale'
    if (!this.#isFetchable(question, outdated)) {
      return this.#tell(x, await this.#behind.respond(x), { as: 'miss', fwd })
    }
    const key = this.#flightKey(question)
    const isOwn = x.request.headers.has('authorization') || this.#cache.isNotKept(notKeptKey(question.base, x.request.headers))
    const other = isOwn ? undefined : this.#cache.flights.of(key)
    if (other !== undefined) {
      const reply = await this.#join(question, other, outdated)
      if (reply !== undefined) return reply
    }
    const flight = this.#fly(question, outdated, key, !isOwn && other === undefined)
    const watch: EndListener = { onExchangeEnd: (reason) => { if (flight.waiting === 0) flight.end(reason) } }
    if (x.ending.reason === undefined) x.ending.listen(watch)
    const landing = await flight.landed
    copyFacts(flight.exchange, x)
    if (landing.as === 'alone') return this.#alone(question, landing.reply, outdated, fwd, landing.why)
    x.ending.ignore(watch)
    return this.#landed(question, landing, outdated, { fwd, collapsed: false })
  }

  /** Only whole answers are fetched to be kept, and parts are cut out of those: a part of what is not kept is the upstream's to give. */
  #isFetchable ({ x: { request }, wishes, base }: Question, outdated: Kept | undefined): boolean {
    if (request.method === 'HEAD') return false
    if (outdated === undefined && request.headers.has('range')) return false
    // Conditions are asked of the upstream itself where nothing is kept that could answer them.
    if (outdated === undefined && isConditional(request.headers) && this.#cache.isNotKept(notKeptKey(base, request.headers))) return false
    return !wishes.noStore && (outdated !== undefined || this.#cache.isWanted(base, this.#settings.minUses))
  }

  #flightKey ({ x, base }: Question): string {
    return `${base}\0${x.request.headers.get('accept-encoding') ?? ''}`
  }

  #fly ({ x, query, base }: Question, outdated: Kept | undefined, key: string, joinable: boolean): Flight {
    const plan = { key, base, query, outdated, address: addressOf(x, query) }
    const flight = new Flight(x, plan, this.#cache, this.#behind, this.#settings)
    this.#cache.flights.add(flight, joinable)
    return flight
  }

  /** `undefined`: its answer is not for this request, or took too long. */
  async #join (question: Question, flight: Flight, outdated: Kept | undefined): Promise<Reply | undefined> {
    flight.waiting++
    const landing = await within(this.#settings.lockTimeoutMs, flight.landed)
    flight.waiting--
    if (landing === undefined || landing.as === 'alone' || flight.isOutdated) return undefined
    const fits = landing.as === 'fault' || isSelected(landing.as === 'kept' ? landing.stored : landing.kept.stored, valuesOf(question.x))
    if (!fits || landing.as === 'kept' && landing.stored.freshness.noCache) return undefined
    copyFacts(flight.exchange, question.x)
    return this.#landed(question, landing, outdated, { fwd: outdated === undefined ? 'uri-miss' : 'stale', collapsed: true })
  }

  #landed (
    question: Question, landing: Exclude<Landing, { as: 'alone' }>, outdated: Kept | undefined, how: Pick<Outcome, 'fwd' | 'collapsed'>,
  ): Promise<Reply> | Reply {
    const { x } = question
    if (landing.as === 'fault') return this.#failed(question, landing.fault, outdated)
    if (landing.as === 'refreshed') return this.#give(x, landing.kept, Date.now(), { ...how, as: 'revalidated', fwdStatus: 304 })
    const reader = landing.reader()
    // It came too late to read it from its beginning.
    if (reader === undefined) return this.#behind.respond(x)
    return this.#tell(x, pass(x, landing.stored, reader.body), { ...how, as: 'miss', fwdStatus: landing.stored.status, stored: true })
  }

  #failed ({ x, wishes }: Question, fault: Fault, outdated: Kept | undefined): Promise<Reply> {
    const nowMs = Date.now()
    if (outdated !== undefined && fault.row.blame === 'upstream' && servesErrors(outdated.stored.freshness, wishes, nowMs)) {
      return this.#give(x, outdated, nowMs, { as: 'stale', fwd: 'stale', detail: fault.code })
    }
    throw new Fault(fault.code, fault.detail, fault)
  }

  /** It is nobody else's answer. An error does not take the place of what was right before. */
  #alone ({ x, wishes }: Question, reply: Reply, outdated: Kept | undefined, fwd: Outcome['fwd'] & string, why: string): Promise<Reply> | Reply {
    const nowMs = Date.now()
    if (outdated !== undefined && errorStatuses.has(reply.status) && servesErrors(outdated.stored.freshness, wishes, nowMs)) {
      reply.body?.cancel()
      return this.#give(x, outdated, nowMs, { as: 'stale', fwd, fwdStatus: reply.status })
    }
    return this.#tell(x, reply, { as: 'miss', fwd, fwdStatus: reply.status, detail: why })
  }

  #tell (x: Exchange, reply: Reply, outcome: Outcome): Reply {
    return tell(x, reply, this.#settings.statusName, outcome)
  }
}

function isConditional (headers: HeaderList): boolean {
  return headers.has('if-none-match') || headers.has('if-modified-since')
}

/** What the log says of the way to the upstream. */
function copyFacts (from: Exchange, to: Exchange): void {
  to.upstream = from.upstream
  to.target = from.target
  to.tries = from.tries
  to.attempts = from.attempts
  to.notRetried = from.notRetried
  to.upstreamMs = from.upstreamMs
}

/** `undefined` when it takes longer. */
function within<T> (ms: number, coming: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms)
    void coming.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}

